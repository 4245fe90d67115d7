/** Whether a process still exists and is no zombie. Asks the system once. */
export async function alive(pid: number): Promise<"runs" | "gone"> {
  const { success, stdout } = await new Deno.Command("ps", {
    args: ["-o", "stat=", "-p", String(pid)],
  }).output();
  return success && !new TextDecoder().decode(stdout).startsWith("Z") ? "runs" : "gone";
}

/**
 * Whether a process that was told to end does so: asks until it has, for a minute at most. For processes whose end nobody here is
 * told of.
 */
export async function ends(pid: number): Promise<boolean> {
  for (const start = performance.now(); performance.now() - start < 60_000;) {
    if (await alive(pid) === "gone") return true;
  }
  return false;
}
