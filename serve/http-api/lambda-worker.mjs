// The thread of one function: events come and answers go as structured clones.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { contextMaker } from './lambda-context.mjs';

// Work that is heavy enough for a thread of its own waits for everybody else's. Linux alone has threads that differ.
if (process.platform === 'linux') setPriority(0, 10);

const contextFor = contextMaker(workerData.facts);
const loading = import(workerData.url);
loading.catch(() => undefined); // told to whoever asks

/** Without a call it tells whether the bundle is loaded. */
async function answer({ id, call }) {
  const { handler } = await loading;
  return call && handler(call.event, contextFor(id, call.deadline));
}

parentPort.on('message', async (asked) => {
  const { id } = asked;
  try {
    parentPort.postMessage({ id, result: await answer(asked) });
  } catch (error) {
    parentPort.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
