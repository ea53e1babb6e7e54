/**
 * The open connections of a server, counted by the address at their other end. A new connection finds a place while
 * another one does nothing useful: the one without progress for the longest time is closed for it. A connection with a
 * running call is never closed for another.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { groupsOf, plainAddress } from './addresses.ts';
import {
  beginVisit,
  type Group,
  isIdle,
  keyOf,
  quietest,
  quietestOfLargest,
  type Tracked,
  type Visit,
} from './tracked.ts';

export interface ConnectionLimits {
  total: number;
  perAddress: number;
  /** While places are few, a connection that does nothing for this long is closed. */
  idleWhenFewMs: number;
  /** At any time, a connection without an answer for this long. Line ends without a request are no progress. */
  idleMs: number;
  /** A client has this long to take an answer. */
  unreadMs: number;
}

/** Why connections were closed early. `address`: too many of one address; `full`: too many in all. */
export type Dropped = Record<'address' | 'full' | 'idle' | 'unread' | 'handshake', number>;

export interface Connections {
  begin(socket: Socket): Visit;
  /** Closes connections without a request that made no progress since `since` (`performance.now()`). */
  closeIdle(since: number): void;
  open(): number;
  /** When the newest connection was accepted (`performance.now()`). */
  newestAt(): number;
  dropped(): Dropped;
  stop(): void;
}

const SWEEP_MS = 1000;

export function trackConnections(
  server: Server,
  limits: ConnectionLimits,
  isProxy: (address: string) => boolean,
): Connections {
  const all = new Map<string, Tracked>();
  const groups = new Map<string, Group>();
  let newestAt = Number.NEGATIVE_INFINITY;
  const dropped: Dropped = { address: 0, full: 0, idle: 0, unread: 0, handshake: 0 };

  function drop(tracked: Tracked, reason: keyof Dropped): void {
    dropped[reason] += 1;
    forget(tracked);
    tracked.socket.destroy();
  }

  function forget(tracked: Tracked): void {
    if (all.get(tracked.key) === tracked) all.delete(tracked.key);
    for (const { members } of tracked.groups) members.delete(tracked);
  }

  /** A trusted proxy has no group: its connections carry the calls of many. */
  function groupsFor(address: string): Group[] {
    if (isProxy(address)) return [];
    return groupsOf(address).map(({ group, factor }) => {
      const present = groups.get(group) ?? { most: limits.perAddress * factor, members: new Set() };
      groups.set(group, present);
      return present;
    });
  }

  function add(socket: Socket): void {
    newestAt = performance.now();
    // The client hung up before it was accepted.
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const address = plainAddress(socket.remoteAddress);
    const tracked: Tracked = {
      key: keyOf(socket),
      socket,
      groups: groupsFor(address),
      calls: 0,
      untaken: 0,
      progressAt: performance.now(),
      answeredAt: undefined,
      closing: false,
      bytesAtRest: 0,
    };
    socket.once('close', () => forget(tracked));
    all.set(tracked.key, tracked);
    for (const { members } of tracked.groups) members.add(tracked);
    const crowded = tracked.groups.find(({ most, members }) => members.size > most);
    if (crowded) drop(quietest(crowded.members, tracked) ?? tracked, 'address');
    else if (all.size > limits.total) drop(quietestOfLargest(groups, tracked) ?? tracked, 'full');
  }

  function sweep(): void {
    const now = performance.now();
    const few = all.size > limits.total * 0.75;
    for (const tracked of all.values()) {
      const { answeredAt, progressAt, calls } = tracked;
      if (answeredAt !== undefined && now - answeredAt > limits.unreadMs) drop(tracked, 'unread');
      else if (calls === 0 && now - progressAt > limits.idleMs) drop(tracked, 'idle');
      else if (isIdle(tracked) && now - progressAt > limits.idleWhenFewMs && isPressed(tracked, few)) {
        drop(tracked, 'idle');
      }
    }
    for (const [name, { members }] of groups) if (members.size === 0) groups.delete(name);
  }

  server.on('connection', add);
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') dropped.handshake += 1;
  });
  const sweeping = setInterval(sweep, SWEEP_MS).unref();
  return {
    begin: (socket) => beginVisit(all.get(keyOf(socket))),
    closeIdle(since) {
      for (const tracked of all.values()) if (isIdle(tracked) && tracked.progressAt <= since) tracked.socket.destroy();
    },
    open: () => all.size,
    newestAt: () => newestAt,
    dropped: () => ({ ...dropped }),
    stop: () => clearInterval(sweeping),
  };
}

/** Whether a place of its address, or of all (`few`), is likely to be needed. */
const isPressed = ({ groups }: Tracked, few: boolean): boolean =>
  groups.length > 0 && (few || groups.some(({ most, members }) => members.size > most / 2));
