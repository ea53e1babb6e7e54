import { AppError } from '../../errors.ts';
import { count } from '../../telemetry.ts';

type PushRefusal = 'MALFORMED' | 'STALE' | 'BAD_SIGNATURE' | 'PLAIN' | 'UNDECRYPTABLE' | 'WRONG_APP' | 'WRONG_ENV';

/** The caller learns only that the push is refused. The counts have the reason. */
export class PushRefused extends AppError {
  constructor(readonly reason: PushRefusal) {
    super('BAD_NOTIFY_SIGNATURE');
  }
}

export function refusePush(reason: PushRefusal): never {
  count(`wechat.push.${reason}`);
  throw new PushRefused(reason);
}
