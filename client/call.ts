// What a call takes, and what all calls of a client share.
import type { Login } from './answers.ts';
import type { ApiError } from './api-error.ts';
import type { StopSignal } from './patience.ts';
import type { RandomSource } from './random.ts';
import type { SessionBook, SignedIn } from './session-book.ts';
import type { DeviceMarkStore } from './storage.ts';
import type { Transport } from './transport.ts';

export interface Query {
  [name: string]: string | number | readonly (string | number)[] | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** How long each try waits for its answer. By default 35 s: an HTTP API stops after 30. */
  timeoutMs?: number;
  /** Ends the call with ABORTED. The server may have acted. */
  signal?: StopSignal;
}

export interface RequestOptions extends CallOptions {
  query?: Query | undefined;
  /** A JSON value, or the exact text to send. */
  body?: unknown;
  /** The default is v2. Use v1 only for servers that do not know v2. Not for public apps. */
  signature?: 'v1' | 'v2';
  idempotencyKey?: string;
  /** false: the call goes without a session. A public app then only names itself. By default it waits for a login. */
  session?: boolean;
  /**
   * True if a second execution does no harm. After REPLAYED the call may then be repeated like a GET. False: it is not
   * even repeated under a new session, where an ended session refused it and so nothing ran.
   */
  repeatable?: boolean;
}

/** For calls of the client itself. */
export interface InternalOptions extends Omit<RequestOptions, 'session'> {
  /**
   * `optional`: the session if there is one, for logins. A session: this one, whatever the current one is.
   */
  session?: boolean | 'optional' | SignedIn;
  /** True for logins: sends the mark of this device, if there is one. */
  deviceMark?: boolean;
  /** Only as this user: throws USER_CHANGED when another one is logged in. Without an id it gets that of the session. */
  as?: SameUser;
  /** For `if-match`: the call is meant for this version of the record. */
  version?: number | undefined;
}

/** Calls that share it are of one user. */
export interface SameUser {
  userId?: string;
}

/** Resolves with the JSON of a successful answer. */
export type Json = <T>(method: string, path: string, options?: InternalOptions) => Promise<T>;
/** For calls that answer 204. */
export type Empty = (method: string, path: string, options: InternalOptions) => Promise<void>;

export interface Logins {
  /** The session for a call, after a silent login if there is none. null: the call goes without one. */
  session(): Promise<SignedIn | null>;
  /** A login that the program asked for. It waits for a running one, and takes its place. */
  logIn<Profile>(path: string, body: object, options?: RequestOptions): Promise<Login<Profile>>;
  /** With a code of the platform. Joins a silent login that is already running. */
  silent<Profile>(options?: CallOptions): Promise<Login<Profile>>;
  /** The same, but calls of this client stay those of its user. */
  again(options?: CallOptions): Promise<unknown>;
  /** Replaces a session of more than a day beside the calls, so that a copied key of it ends. `clock` as in the state. */
  renew(session: SignedIn, clock: number): void;
  /** While `work` runs, no session is replaced: a new wx.login would void a payment that was just signed. */
  paying<T>(work: () => Promise<T>): Promise<T>;
  /** A code of the platform. Throws TypeError without `silentCode`. */
  code(): Promise<string>;
  /** While `work` removes the account or its WeChat, no silent login starts: it would create a new account. */
  removing<T>(work: () => Promise<T>): Promise<T>;
}

export interface ClientState {
  baseUrl: string;
  appId: string;
  /** '': a public app. */
  privateKey: string;
  language: string;
  transport: Transport;
  book: SessionBook;
  logins: Logins;
  deviceMarks: DeviceMarkStore;
  random: RandomSource;
  /** How often a login was required. Of calls that fail at the same time, only the first one asks for it. */
  asked: number;
  onLoginRequired(error: ApiError): void;
  /** Milliseconds since 1970, by the clock of the device. */
  now(): number;
  wait(milliseconds: number): Promise<void>;
  /** How many seconds the server's clock is ahead of this device's, as learned from an answer. */
  clock: number;
}

/** Unix seconds by the clock of the server, as far as it is known. */
export function serverSeconds(caller: ClientState): number {
  return Math.floor(caller.now() / 1000) + caller.clock;
}
