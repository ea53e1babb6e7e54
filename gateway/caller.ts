import type { ServerResponse } from 'node:http';

/** Aborts when the caller closes its connection before it has the whole answer. */
export function callerGone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const leave = () => {
    if (!response.writableFinished) controller.abort();
  };
  if (response.closed) leave();
  else response.once('close', leave);
  return controller.signal;
}

/** For work that has no caller. */
export const NEVER_GONE: AbortSignal = new AbortController().signal;
