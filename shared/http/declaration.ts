import type { CacheRead } from '../admission/request.ts';
import type { Scope } from '../app/app.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import type { CallerMark } from '../lock/give-back.ts';
import type { Identities, LockRule, LockTarget } from '../lock/rule.ts';
import type { CurrentUser } from '../session/session.ts';
import type { CallingApp } from './caller.ts';
import type { Input } from './input.ts';
import type { Success } from './problem.ts';

/** What a handler behind the authorizer declares of itself, and what it is then called with. */
export type Auth = 'app' | 'user' | 'by-input';

/** What is refused before the input is looked at. */
export interface Permission {
  scope: Scope;
  /** Beyond the scope: whether the app may call this path at all. Refused with the same SCOPE_DENIED. */
  permits?: (path: Readonly<Record<string, string | undefined>>, app: CallingApp) => boolean;
  /** v1 signatures are refused: the call moves money or credentials. */
  v2Only?: boolean;
}

/** P, Q, H, B: the schemas. F: what `lookup` found; its members stand beside those of the input from there on. */
export interface Declaration<P, Q, H, B, F, A extends Auth> extends Permission {
  /** As API Gateway names it: `POST /login`. It is also the target of the route's lock rules. */
  route: string;
  auth: A;
  path?: P;
  query?: Q;
  headers?: H;
  body?: B;
  success?: Success;
  /**
   * Finds what the input names, such as a resource or a plugin, once for all that follows. It needs no memory or only a
   * warm record, and comes after every 400. Throws UNKNOWN_RESOURCE, UNKNOWN_PLUGIN. Declare it before its readers,
   * since TypeScript learns its type on the way.
   */
  lookup?: (input: Input<P, Q, H, B>, app: CallingApp) => F | Promise<F>;
  /** For `by-input`: whether this call needs a user. */
  needsUser?: (input: Input<P, Q, H, B> & F) => boolean;
  /** Rules on the route itself. */
  rules?: readonly LockRule[];
  /** Further targets, such as `data:notice`. */
  targets?: (input: Input<P, Q, H, B> & F) => readonly LockTarget[];
  /** Identities beyond app, user and ip that rules count by. */
  identities?: (input: Input<P, Q, H, B> & F) => Identities;
  /** Cache keys that are looked up, or leased, in admission's own request. */
  reads?: (
    input: Input<P, Q, H, B> & F,
    caller: { app: CallingApp; userId: string | undefined },
  ) => readonly CacheRead[];
}

/** Who calls, and what admission has read. */
interface Admitted<A> {
  app: CallingApp;
  user: A extends 'user' ? CurrentUser : A extends 'by-input' ? CurrentUser | undefined : undefined;
  reads: readonly ReadAnswer[];
  requestId: string;
  /** IPv6 by its /64; '' when API Gateway names none. */
  ip: string;
  /** Visible characters of the user-agent, at most 120. */
  device: string;
  /** Gives back what `failure` rules charged, and marks the caller as known where a mark is given. */
  succeeded(mark?: CallerMark): Promise<void>;
}

/** What a handler receives. */
export type Call<P, Q, H, B, F, A> = Input<P, Q, H, B> & F & Admitted<A>;
