// The thread of one function: events come and answers go as structured clones.
import { parentPort, workerData } from 'node:worker_threads';
import { contextMaker } from './lambda-context.mjs';

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
