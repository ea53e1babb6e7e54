/** From this many on, a command takes long enough for a person to wonder whether it still works. */
const SHOWN_FROM = 5_000;

/** Writes to standard error, so that the output of the command stays what it is. */
export function progressOf(what: string): (done: number, of?: number) => void {
  let next = SHOWN_FROM;
  return (done, of) => {
    if (done < next) return;
    next += SHOWN_FROM;
    process.stderr.write(of === undefined ? `${what}: ${done}\n` : `${what}: ${done} / ${of}\n`);
  };
}
