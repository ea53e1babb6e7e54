import { setTimeout as sleep } from 'node:timers/promises';

/** A network failure that tests inject into one request to a gateway. */
export type GatewayFault =
  /** Cuts the connection and executes nothing. */
  | { kind: 'drop-before' }
  /** Executes the request, then cuts the connection: the answer is lost. */
  | { kind: 'drop-after' }
  /** Executes nothing and never answers. */
  | { kind: 'hang' }
  /** Executes nothing and answers as a proxy in front of the gateway would. */
  | { kind: 'status'; status: number; body: string; contentType?: string }
  | { kind: 'delay'; ms: number; then?: GatewayFault }
  /** Waits for `before`, injects the fault that it returns (if any), and waits for `after` before it answers. */
  | { kind: 'hold'; before: () => Promise<GatewayFault | undefined>; after: () => Promise<void> };

export interface EngineAnswer {
  status: number;
  headers?: Record<string, string>;
  body: string | Buffer;
}

/** Runs `work` with `fault`. For `'drop'` the caller has to cut the connection, for `'hang'` to leave it unanswered. */
export async function underFault(
  fault: GatewayFault | undefined,
  work: () => Promise<EngineAnswer>,
): Promise<EngineAnswer | 'drop' | 'hang'> {
  switch (fault?.kind) {
    case undefined:
      return work();
    case 'drop-before':
      return 'drop';
    case 'drop-after':
      await work().catch(() => {});
      return 'drop';
    case 'hang':
      return 'hang';
    case 'status':
      return {
        status: fault.status,
        headers: { 'content-type': fault.contentType ?? 'application/json' },
        body: fault.body,
      };
    case 'hold': {
      const answer = await underFault(await fault.before(), work);
      await fault.after();
      return answer;
    }
    case 'delay':
      await sleep(fault.ms);
      return underFault(fault.then, work);
  }
}
