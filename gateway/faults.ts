import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What a gateway does to one request instead of serving it, so that tests meet the failures a network makes.
 * `drop-before`: the connection is cut and nothing was carried out. `drop-after`: the work is done, its answer is lost.
 * `hang`: nothing is carried out and no answer comes. `status`: a proxy answers in the gateway's place.
 */
export type GatewayFault =
  | { kind: 'drop-before' }
  | { kind: 'drop-after' }
  | { kind: 'hang' }
  | { kind: 'status'; status: number; body: string; contentType?: string }
  | { kind: 'delay'; ms: number; then?: GatewayFault }
  /** Held until `before` lets it go on, with or without a fault; its answer is held until `after` does. */
  | { kind: 'hold'; before: () => Promise<GatewayFault | undefined>; after: () => Promise<void> };

export interface EngineAnswer {
  status: number;
  headers?: Record<string, string>;
  body: string | Buffer;
}

/** Carries out `work` under `fault`. `'drop'`: cut the connection; `'hang'`: leave it open without an answer. */
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
