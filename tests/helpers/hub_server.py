"""A stand-in for the Hugging Face hub on the loopback address: repositories of models, in memory.

It answers the requests with which `huggingface_hub` makes a repository, uploads a folder and downloads one. It has no
storage of the kind Xet: where that is not switched off, ``large_files`` must be.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_a-token-for-tests"
SHA = "a" * 40


class Hub:
    """The account ``me`` (also in the organisation ``lab``) and its repositories: name → {path: content}.

    ``large_files``: weights are uploaded apart. ``role`` is what the token may do; ``refuses`` is (path, status) of a
    request that is answered with that status; ``seen`` are the requests so far, as "METHOD /path".
    """

    def __init__(self) -> None:
        self.url = ""
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.large: dict[str, bytes] = {}
        self.large_files = True
        self.role = "write"
        self.refuses: tuple[str, int] | None = None
        self.seen: list[str] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        """Inside this context the hub answers; the value is its address."""
        hub = self

        class Handler(_Handler):
            server_hub = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            self.url = f"http://127.0.0.1:{server.server_port}"
            yield self.url
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    do_GET = do_POST = do_PUT = do_HEAD

    def _answer(self) -> None:
        hub, path = self.server_hub, unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub.seen.append(f"{self.command} {path}")
        signed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if hub.refuses and hub.refuses[0] in path:
            self._send(hub.refuses[1], {"error": "as told"})
        elif path == "/":
            self._send(200, {})
        elif found := re.fullmatch(r"/large/(\w+)", path):
            assert hashlib.sha256(body).hexdigest() == found[1]
            hub.large[found[1]] = body
            self._send(200, {})
        elif self.command in ("GET", "HEAD") and path != "/api/whoami-v2":
            self._read(path)
        elif not signed:
            self._send(401, {"error": "Invalid credentials in Authorization header"})
        elif path == "/api/whoami-v2":
            account = {"type": "user", "name": "me", "orgs": [{"name": "lab"}]}
            self._send(200, account | {"auth": {"accessToken": {"role": hub.role}}})
        else:
            self._write(path, body)

    def _write(self, path: str, body: bytes) -> None:
        hub, address = self.server_hub, f"http://{self.headers['Host']}"
        if path == "/api/validate-yaml":
            front = yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            errors = [] if isinstance(front, dict) else [{"message": "no front matter"}]
            self._send(400 if errors else 200, {"errors": errors, "warnings": []})
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            new = name not in hub.repositories
            if new:
                hub.repositories[name] = {".gitattributes": b""}
                hub.private |= {name} if asked.get("visibility") == "private" else set()
            self._send(200 if new else 409, {"url": f"{address}/{name}"})
        elif re.fullmatch(r"/api/models/(.+)/preupload/main", path):
            files = json.loads(body)["files"]
            large = ".safetensors" if hub.large_files else "none"
            modes = {each["path"]: "lfs" if each["path"].endswith(large) else "regular" for each in files}
            rows = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            self._send(200, {"files": rows})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{address}/large/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._send(200, {"objects": objects, "transfer": "basic"})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", path):
            files = hub.repositories[found[1]]
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.large[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            self._send(200, {"commitUrl": f"{address}/{found[1]}/commit/{SHA}", "commitOid": SHA})
        else:
            self._send(404, {"error": f"not a request that the stand-in knows: {self.command} {path}"})

    def _read(self, path: str) -> None:
        hub = self.server_hub
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(?:main|a+))?", path):
            files = hub.repositories.get(found[1])
            if files is None:
                self._send(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            front = files.get("README.md", b"").decode().split("---\n")
            card = yaml.safe_load(front[1]) if len(front) > 2 else None
            info = {"id": found[1], "sha": SHA, "private": found[1] in hub.private, "cardData": card}
            self._send(200, info | {"siblings": [{"rfilename": name} for name in files]})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(?:main|a+)", path):
            files = hub.repositories[found[1]]
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            self._send(200, rows)
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/(?:main|a+)/(.+)", path):
            content = hub.repositories.get(found[1], {}).get(found[2])
            headers = {"X-Repo-Commit": SHA, "ETag": f'"{hashlib.sha1(content or b"").hexdigest()}"'}
            if content is None:
                self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", **headers})
            else:
                self._send(200, content, headers)
        else:
            self._send(404, {"error": f"not a request that the stand-in knows: {self.command} {path}"})

    def _send(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if not isinstance(content, bytes):
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
