"""A process that holds the lock of a folder."""

HOLD = "import sys, pathlib, memreason.runtime.locks as l\nwith l.locked_folder(pathlib.Path(sys.argv[1]), 'x'):\n" \
       "    print('held', flush=True); sys.stdin.read()"  # fmt: skip
