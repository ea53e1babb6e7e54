// The shapes of inputs and answers. Times are RFC 3339 UTC, money is integer fen, ids are strings.

export interface User<Profile> {
  userId: string;
  account: string | null;
  /** Masked: `138****0000`. */
  phone: string | null;
  profile: Profile;
}

export interface Login<Profile> {
  /** The session token, only with a privateKey (v2). It is a secret. */
  token: string;
  expiresAt: string;
  user: User<Profile>;
  /** The device sends it with its next logins: then failures of others do not lock it out. The client does this. */
  deviceMark: string;
}

export interface LoginEntry {
  address: string;
  port: number;
}

export interface ChannelStart {
  accountAddress: string;
  firstString: string;
  expiresAt: string;
}

export interface ChannelVerified {
  account: string;
  created: boolean;
  loginList: LoginEntry[];
  secondString: string;
  expiresAt: string;
}

/** Of the user: the password, or a code of a new wx.login. */
export type IdentityProof = { password: string } | { code: string };

/** Of the user whose account is erased. */
export type AccountProof = IdentityProof | { secondString: string };

export interface Identity {
  id: string;
  platform: 'password' | 'wechat' | 'phone' | 'channel';
  /** For people: masked. */
  label: string;
  createdAt: string;
}

export interface Session {
  id: string;
  device: string | null;
  createdAt: string;
  /** Right to five minutes. */
  lastSeenAt: string;
  /** Of the last use: `203.0.0.0/16` or `2001:db8::/32`; null: not known. */
  network: string | null;
  current: boolean;
}

export interface PluginToken {
  pluginToken: string;
  expiresAt: string;
  /** The address of the plugin's server. */
  server: string;
}

export type PluginValidation =
  | { active: true; userId: string; pluginId: string; expiresAt: string }
  | { active: false };

interface Product {
  productId: string;
  title: string;
  amountFen: number;
  currency: string;
  units: number;
  asset: string;
}

export interface RechargeParams {
  products: Product[];
  providers: string[];
}

export interface RechargeInput {
  productId: string;
  provider: string;
  /** From a fresh wx.login, only for provider `xpay`. */
  code?: string;
}

type OrderStatus = 'pending' | 'paid' | 'partial_refund' | 'refunded' | 'closed';

export interface CreatedOrder {
  orderNo: string;
  status: OrderStatus;
  /** The argument of wx.requestPayment; empty for the sandbox. */
  payment: Record<string, unknown>;
}

export interface Order {
  orderNo: string;
  status: OrderStatus;
  productId: string;
  amountFen: number;
  currency: string;
  units: number;
  createdAt: string;
  paidAt?: string;
}

export interface Balance {
  balance: number;
  asset: string;
  /** Only while holds keep a part of the balance: the other part. */
  available?: number;
}

/** `hold` and its end (`capture`, `release` or `hold_expiry`) have the same `ref`, as `merge_out` and `merge_in` have. */
type EntryKind =
  | 'recharge'
  | 'spend'
  | 'refund'
  | 'refund_reversal'
  | 'grant'
  | 'expiry'
  | 'adjust'
  | 'hold'
  | 'capture'
  | 'release'
  | 'hold_expiry'
  | 'merge_in'
  | 'merge_out';

/** A change of the wallet. The newest entry has the highest `seq`. */
export interface Entry {
  seq: number;
  kind: EntryKind;
  delta: number;
  balanceAfter: number;
  ref: string;
  createdAt: string;
  /** Units that a hold keeps from now on; negative: no longer keeps. */
  held?: number;
  /** When the hold, or the units, end. */
  expiresAt?: string;
  reason?: string;
}

/** A positive number of units, for an app whose users may name it. The server keeps no price for it. */
interface FreeSpend {
  amount: number;
  reason?: string;
  itemId?: never;
  quantity?: never;
}

/** An item of the server, at the server's price. */
interface ItemSpend {
  itemId: string;
  /** Default: 1. */
  quantity?: number;
  amount?: never;
  reason?: never;
}

export type SpendInput = ItemSpend | FreeSpend;

export interface Spent {
  /** After this spend. */
  balance: number;
  asset: string;
  ref: string;
}

/** One page. If `next` is present, pass it to get the following page. */
export interface Page {
  next?: string;
}
