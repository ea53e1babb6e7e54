// The shapes that the routes take and give. Times are RFC 3339 UTC, money is integer fen, ids are text.

export interface User<Profile> {
  userId: string;
  account: string | null;
  profile: Profile;
}

export interface Login<Profile> {
  token: string;
  expiresAt: string;
  user: User<Profile>;
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

export interface Session {
  id: string;
  device: string | null;
  createdAt: string;
  lastSeenAt: string;
  current: boolean;
}

export interface PluginToken {
  pluginToken: string;
  expiresAt: string;
  /** Where the plugin asks for its service. */
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
  /** Of a fresh wx.login, for provider `xpay` and no other. */
  code?: string;
}

type OrderStatus = 'pending' | 'paid' | 'partial_refund' | 'refunded' | 'closed';

export interface CreatedOrder {
  orderNo: string;
  status: OrderStatus;
  /** What wx.requestPayment takes; empty for the sandbox. */
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
}

export interface SpendInput {
  /** Units, positive. */
  amount: number;
  reason?: string;
}

export interface Spent extends Balance {
  ref: string;
}

/** One page; `next`, when there, is what the following page is asked with. */
export interface Page {
  next?: string;
}
