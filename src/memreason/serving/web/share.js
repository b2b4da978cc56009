// Links to copy, files to save and to open.

/** Copy the address of the page; `tell` is called with what came of it. */
export async function copyLink(tell) {
  try {
    await navigator.clipboard.writeText(location.href); // browsers allow it on this machine and over TLS only
    tell("The link is copied; it holds all versions.");
  } catch {
    tell("The address of this page is the link: copy it from the browser's address line.");
  }
}

/** Save a text as a file. */
export function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The text of a file that the user picks; it never comes where none is picked. */
export function picked(kind) {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = kind;
    input.addEventListener("change", async () => resolve(await input.files[0].text()));
    input.click();
  });
}
