import type { SignatureMethod } from '../app/access-token.ts';
import type { Scope } from '../app/app.ts';

/** What the authorizer hands on. `unavailable` alone: no engine could give the app's record. */
export type AuthorizerContext =
  | { unavailable: true }
  | {
      unavailable?: never;
      appId: string;
      keyId: string;
      scopes: string;
      plugins: string;
      validates: string;
      signatureMethod: SignatureMethod;
      signature: string;
      nonce: string;
      timeStamp: number;
      bodySha256: string;
    };

/** The app that calls, as its access_token proved it. */
export interface CallingApp {
  readonly appId: string;
  readonly scopes: readonly Scope[];
  /** Whether it may issue tokens for this plugin. */
  mayIssueFor(pluginId: string): boolean;
  /** The one plugin it validates tokens of. */
  readonly validates: string | null;
}
