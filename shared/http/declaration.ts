import type { CacheRead } from '../admission/request.ts';
import type { OpenScope, Scope } from '../app/app.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import type { CallLimits } from '../lock/default-rules.ts';
import type { CallerMark } from '../lock/give-back.ts';
import type { Identities, LockRule, LockTarget } from '../lock/rule.ts';
import type { CurrentUser } from '../session/session.ts';
import type { SessionName } from '../session/token.ts';
import type { CallingApp, Proof } from './caller.ts';
import type { Input } from './input.ts';
import type { Success } from './problem.ts';

/** The declaration of a handler behind the authorizer, and the call that the handler receives. */
export type Auth = 'app' | 'user' | 'by-input';

/** Checked before the input is parsed. */
export interface Permission {
  scope: Scope;
  /** An app with this scope may call it too. `lookup` then decides what for. */
  orScope?: Scope;
  /** In addition to the scope: whether the app may call this path. Refused with the same SCOPE_DENIED. */
  permits?: (path: Readonly<Record<string, string | undefined>>, app: CallingApp) => boolean;
  /**
   * A public app may call it before a login, by its name alone, if it has this scope. undefined: a login is needed. An
   * entry (`app`) needs the scope under a session too.
   */
  open?: OpenScope | undefined;
  /** v1 signatures are refused, because the call moves money or changes credentials. */
  v2Only?: boolean;
}

/** P, Q, H, B: the schemas. F: the result of `lookup`; its members are added to those of the input. */
export interface Declaration<P, Q, H, B, F, A extends Auth> extends Permission {
  /** A route of a user is never open. */
  open?: A extends 'user' ? never : OpenScope;
  /** The name in API Gateway: `POST /login`. It is also the target of the route's lock rules. */
  route: string;
  auth: A;
  path?: P;
  query?: Q;
  headers?: H;
  body?: B;
  success?: Success;
  /**
   * Finds what the input names, such as a resource or a plugin, once for the whole call. It uses the memory of the
   * process or a cached record, and runs after all checks that answer 400. Throws UNKNOWN_RESOURCE, UNKNOWN_PLUGIN.
   * Declare it before the members that use its result, because TypeScript infers its type in this order.
   */
  lookup?: (input: Input<P, Q, H, B>, app: CallingApp) => F | Promise<F>;
  /** For `by-input`: whether this call needs a logged-in user. */
  needsUser?: (input: Input<P, Q, H, B> & F) => boolean;
  /** Lock rules of the route. */
  rules?: readonly LockRule[];
  /** Replaces the default limits of calls. Then the calls of this route are counted apart. */
  callLimits?: CallLimits;
  /** More targets of lock rules, such as `data:notice`. */
  targets?: (input: Input<P, Q, H, B> & F) => readonly LockTarget[];
  /** Identities besides app, user and ip that rules count by. */
  identities?: (input: Input<P, Q, H, B> & F) => Identities;
  /** Cache keys that admission reads, or leases, in its own request. */
  reads?: (
    input: Input<P, Q, H, B> & F,
    caller: { app: CallingApp; userId: string | undefined },
  ) => readonly CacheRead[];
}

/** The caller, and what admission has read. */
interface Admitted<A> {
  app: CallingApp;
  proof: Proof;
  /** The session that signed the call (v3); undefined: a key did, or nothing. */
  signedBy: SessionName | undefined;
  user: A extends 'user' ? CurrentUser : A extends 'by-input' ? CurrentUser | undefined : undefined;
  reads: readonly ReadAnswer[];
  /** Holds the leases that admission took for this call. It is not the id of the answer. */
  leaseId: string;
  /** An IPv6 address is reduced to its /64; '' if API Gateway gives none. */
  ip: string;
  /** The visible ASCII characters of the user-agent, at most 120. */
  device: string;
  /** The device mark that the call sent, if it was issued here. */
  deviceMark: string | undefined;
  /** Gives back what `failure` rules charged, and records the marks. */
  succeeded(...marks: CallerMark[]): Promise<void>;
}

/** What a handler receives. */
export type Call<P, Q, H, B, F, A> = Input<P, Q, H, B> & F & Admitted<A>;
