/**
 * A board on which each process writes how far it is, and which everybody may read at any time.
 *
 * The chapter's `shared_memory.ShareableList`: a list of fixed places in shared memory, with items of different types.
 *
 *     deno run -A examples/progress_board.ts
 *
 * @module
 */
import { Process } from "@batteries/concurrent/multiprocessing";
import { ShareableList } from "@batteries/concurrent/multiprocessing/shared-memory";

/** A row of the board: what is checked, how far, the lines so far, the share of comments, and whether that is all. */
const ROW = ["", 0, 0, 0.5, false] as const;
const [NAME, FILES, LINES, SHARE, DONE] = ROW.keys();
/** A place has the room that its first text had. */
const ROOM = " ".repeat(32);

/** Counts the lines of a folder's files, and writes after each file how far it is. Nobody else writes to its row. */
export function check(board: ShareableList, row: number, folder: string): void {
  const at = (column: number) => row * ROW.length + column;
  let [files, lines, comments] = [0, 0, 0];
  for (const { name, isFile } of Deno.readDirSync(new URL(folder))) {
    if (!isFile) continue;
    for (const line of Deno.readTextFileSync(new URL(name, folder)).split("\n")) {
      lines++;
      if (/^\s*(\/\*\*|\*|\/\/)/.test(line)) comments++;
    }
    board.set(at(FILES), ++files);
    board.set(at(LINES), lines);
    board.set(at(SHARE), comments / lines);
  }
  board.set(at(NAME), folder.split("/").at(-2)!);
  board.set(at(DONE), true);
  board.shm.close();
}

/** What the board says. */
function rowsOf(board: ShareableList): (string | number | boolean)[][] {
  const items = [...board] as (string | number | boolean)[];
  return Array.from(
    { length: items.length / ROW.length },
    (_, row) => items.slice(row * ROW.length, (row + 1) * ROW.length),
  );
}

/** Checks folders of this package, each in a process, and gives the rows of the board. */
export async function checkAll(folders: string[]): Promise<(string | number | boolean)[][]> {
  const board = new ShareableList(folders.flatMap(() => [ROOM, ...ROW.slice(1)]));
  try {
    const processes = folders.map((folder, row) => {
      const url = new URL(`../${folder}/`, import.meta.url);
      return new Process({ target: check, args: [board, row, url.href] });
    });
    for (const process of processes) process.start();
    for (const process of processes) await process.join();
    return rowsOf(board);
  } finally {
    board.shm.close();
    board.shm.unlink();
  }
}

if (import.meta.main) {
  for (const row of await checkAll(["queue", "futures", "threading"])) {
    const percent = `${Math.round(100 * (row[SHARE] as number))}%`;
    console.log(`${row[NAME]}: ${row[FILES]} files, ${row[LINES]} lines, ${percent} comments`);
  }
}
