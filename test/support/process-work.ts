/** For a process that `inProcesses` started: waits until all have started, then prints the result of `work`. */
export async function workTogether(work: (index: number) => Promise<unknown>): Promise<void> {
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  process.stdout.write(JSON.stringify(await work(Number(process.argv[2]))));
  process.exit(0);
}
