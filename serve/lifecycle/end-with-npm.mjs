// Loaded before a program that `npm run` starts and that serves until a signal. npm runs a script in a shell, and the
// shell of Debian and Ubuntu stays between npm and the program: SIGTERM to npm ends the shell, and the program does not
// get it. So the program watches its parent, and ends as after SIGTERM when the parent has ended. Ctrl-C needs nothing:
// the terminal signals all processes of the command. On Windows there is no parent to watch.
const LOOK_EVERY_MS = 200;

if (process.env.npm_lifecycle_event !== undefined && process.platform !== 'win32') {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  timer.unref();
}
