import { randomUUID } from 'node:crypto';
import { admit } from '../../shared/admission/admission.ts';
import type { AdmissionRequest } from '../../shared/admission/request.ts';
import type { ReadAnswer } from '../../shared/cache/cache.ts';
import { keepWarm, warmRequests } from '../../shared/data/cached-pages.ts';
import { listPage, pageReadOf, parseListQuery } from '../../shared/data/list-page.ts';
import { changeOwn, removeOwn } from '../../shared/data/own-record-changes.ts';
import { createOwn } from '../../shared/data/own-record-creation.ts';
import { cachedReadOf, readOf, recordsFrom } from '../../shared/data/records.ts';
import { deleteResource, putMembers, putResource } from '../../shared/data/write.ts';
import { AppError, EngineError } from '../../shared/errors.ts';
import { sweepChangedRows, sweptResource } from '../../shared/upkeep/changed-rows.ts';
import { requestOf } from './admission-call.ts';
import {
  GROUPS,
  isIn,
  LARGER_PAGE,
  type ModelRow,
  PAGE_SIZE,
  type Place,
  pageOf,
  type State,
  USERS,
  VIEWS,
  type View,
} from './list-model.ts';
import type { ListRun } from './list-run.ts';

/**
 * plain: users write. moves: operators move records between groups and users. dying: other tools and writers that die
 * write, and the sweep follows. replicas: pages come from a replica that is behind. repeats: requests are sent again.
 * faults: connections are lost. failover: the database loses its last writes. warming: cache-warm loads first pages.
 */
export type ListFamily = 'plain' | 'moves' | 'dying' | 'replicas' | 'repeats' | 'faults' | 'failover' | 'warming';

type Actor = (run: ListRun) => Promise<void>;

/** What is wrong after all actors have finished, with the seed; empty if nothing is. */
export async function runLists(run: ListRun, family: ListFamily): Promise<string[]> {
  await run.restore(Array.from({ length: 1 + run.draw(4) }, () => drawRow(run)));
  await run.replicate();
  // All meet at one list, because the second request must come before another reader begins a generation.
  if (family === 'repeats') run.views = VIEWS.slice(0, 1);
  if (family === 'faults') run.schedule.faultShare = 0.05;
  const actors = [walker, reader, recordReader, ...CAST[family], run.pick(EXTRAS[family])];
  await run.schedule.run(actors.map((actor) => () => actor(run)));
  // Only the sweep ends what a failed delete, a dead writer or another tool has left.
  if (family === 'dying' || family === 'faults') await sweeper(run);
  run.schedule.faultShare = 0;
  await readAll(run);
  return run.wrong.map((what) => `seed ${run.seed}: ${what}`);
}

function drawRow(run: ListRun): ModelRow {
  const mark = run.newMark();
  const [userId, groupId, rank] = [run.pick(USERS), run.pick(GROUPS), run.draw(4)];
  return { id: String(mark), userId, groupId, rank, mark, version: 1 };
}

/** Who writes or disturbs, beside three readers. */
const CAST: Record<ListFamily, Actor[]> = {
  plain: [owner, owner],
  moves: [operator, remover, groupReader],
  dying: [otherTool, otherTool, sweeper],
  replicas: [owner, owner, replication, timePasses],
  repeats: [repeater, repeater, owner, owner],
  faults: [owner, owner],
  failover: [owner, owner, failover],
  warming: [owner, owner, warmer, warmer],
};
/** One of these comes in addition. */
const EXTRAS: Record<ListFamily, Actor[]> = {
  plain: [owner, leaseEnds, generationEnds],
  moves: [operator, remover, leaseEnds],
  dying: [owner, sweeper],
  replicas: [operator, timePasses],
  repeats: [generationEnds, leaseEnds],
  faults: [operator, leaseEnds],
  failover: [owner, generationEnds],
  warming: [operator, generationEnds, leaseEnds],
};

/** An admission that Redis did not answer, and statements that MySQL did not, are what callers see as 503. */
const orEngine = (error: unknown): undefined => {
  if (error instanceof EngineError) return undefined;
  throw error;
};
const orRefused = (error: unknown): undefined => {
  if (error instanceof AppError && !['INVALID_INPUT', 'INVALID_KEY'].includes(error.code)) return undefined;
  return orEngine(error);
};

async function admitted(request: AdmissionRequest): Promise<ReadAnswer[]> {
  const admission = await admit(request);
  if (admission.verdict !== 'admitted') throw new Error(admission.verdict);
  return admission.reads;
}

/** What a reader asks for, and the oldest state that it may get. */
interface Question {
  view: View;
  query: ReturnType<typeof parseListQuery>;
  caller: { appId: string; owner: string };
  from: number;
  after: Place | undefined;
  size: number;
}

function questionOf(run: ListRun, view: View, cursor = '', after?: Place, size = PAGE_SIZE): Question {
  const query = {
    list: view.list,
    limit: String(size),
    ...(view.list === 'of-group' && { groupId: String(view.groupId) }),
    ...(cursor !== '' && { after: cursor }),
  };
  return {
    view,
    query: parseListQuery(run.resource, query),
    caller: { appId: 'app', owner: view.list === 'mine' ? view.userId : '' },
    from: run.oldestOf(view),
    after,
    size,
  };
}

const requestFor = ({ resource }: ListRun, questions: readonly Question[]): AdmissionRequest =>
  requestOf([], { reads: questions.map(({ query, caller }) => pageReadOf(resource, query, caller)) });

type PageAnswer = Awaited<ReturnType<typeof listPage>>;

/** undefined: an engine did not answer. */
async function readPage(run: ListRun, view: View, cursor = '', after?: Place): Promise<PageAnswer | undefined> {
  const question = questionOf(run, view, cursor, after);
  const request = requestFor(run, [question]);
  const reads = await admitted(request).catch(orEngine);
  return reads && pageFrom(run, question, request.requestId, reads[0]);
}

/** The page, compared with the states that the reader may get. */
async function pageFrom(
  run: ListRun,
  { view, query, caller, from, after, size }: Question,
  leaseId: string,
  read: ReadAnswer | undefined,
): Promise<PageAnswer | undefined> {
  const answer = await listPage(leaseId, run.resource, query, caller, read).catch(orEngine);
  if (!answer) return undefined;
  run.reads++;
  const text = JSON.stringify([answer.items, answer.next !== undefined]);
  const isOf = (state: State): boolean => {
    const { items, more } = pageOf(state, view, size, after);
    return JSON.stringify([items, more]) === text;
  };
  if (!run.history.slice(from).some(isOf)) {
    const when = run.history.slice(0, from).some(isOf) ? 'an older state' : 'no state';
    run.wrong.push(`a page of ${JSON.stringify(view)} shows ${when} of the table`);
  }
  return answer;
}

/** The first page of every list, in one request. */
async function readAll(run: ListRun): Promise<void> {
  const questions = VIEWS.map((view) => questionOf(run, view));
  const request = requestFor(run, questions);
  const reads = await admitted(request);
  await Promise.all(questions.map((question, i) => pageFrom(run, question, request.requestId, reads[i])));
}

async function reader(run: ListRun): Promise<void> {
  for (let i = 0; i < 2; i++) await readPage(run, run.pick(run.views));
}

/** Operators move records between groups: both are read twice. */
async function groupReader(run: ListRun): Promise<void> {
  const groups = VIEWS.filter(({ list }) => list === 'of-group');
  for (const view of [...groups, ...groups]) await readPage(run, view);
}

/** Reads a list to its end. */
async function walker(run: ListRun): Promise<void> {
  const view = run.pick(run.views);
  const from = run.oldestOf(view);
  const seen: ModelRow[] = [];
  let cursor = '';
  for (let pages = 0; pages < 3; pages++) {
    const answer = await readPage(run, view, cursor, seen.at(-1));
    if (!answer) return;
    seen.push(...(answer.items as unknown as ModelRow[]));
    if (answer.next === undefined) return checkWalk(run, view, seen, run.history.slice(from));
    cursor = answer.next;
  }
}

/** What stood at its place all the time is seen once; nothing that did not move is seen twice. */
function checkWalk(run: ListRun, view: View, seen: readonly ModelRow[], states: readonly State[]): void {
  const first = states[0] ?? [];
  for (const row of first.filter((row) => isIn(view, row))) {
    const stood = states.every((state) =>
      state.some(
        ({ id, rank, userId, groupId }) =>
          id === row.id && rank === row.rank && userId === row.userId && groupId === row.groupId,
      ),
    );
    const times = seen.filter(({ id }) => id === row.id).length;
    if (stood && times !== 1) run.wrong.push(`a walk through ${JSON.stringify(view)} shows a record ${times} times`);
  }
}

/** Brings a record into the cache, from where writers take its members. */
async function recordReader(run: ListRun): Promise<void> {
  if (run.state.length > 0) await readRecord(run, run.pick(run.state).id);
}

async function readRecord(run: ListRun, id: string): Promise<void> {
  const request = requestOf([], { reads: [readOf(run.resource, id)] });
  const reads = await admitted(request).catch(orEngine);
  if (reads) await recordsFrom(request.requestId, run.resource, [id], reads).catch(orEngine);
}

/** A user or, in every fourth case, a server app: creates, changes or deletes a record. */
async function owner(run: ListRun): Promise<void> {
  const row = run.draw(3) > 0 && run.state.length > 0 ? run.pick(run.state) : undefined;
  await (row ? ownWrite(run, row) : creation(run));
}

async function creation(run: ListRun): Promise<void> {
  const from = run.now;
  const mark = run.newMark();
  const members = { groupId: run.pick(GROUPS), rank: run.draw(4), mark };
  const maker = { appId: 'app', userId: run.pick(USERS) };
  const made = await createOwn(run.resource, maker, randomUUID(), members, Date.now()).catch(orRefused);
  if (made) settled(run, from, hasMark(mark));
}

async function ownWrite(run: ListRun, row: ModelRow): Promise<void> {
  if (run.draw(2) > 0) return removal(run, row);
  const from = run.now;
  const { target, cached } = await targetOf(run, row);
  const mark = run.newMark();
  const changed = await changeOwn(target, row.version, { rank: run.draw(4), mark }, cached).catch(orRefused);
  if (changed) settled(run, from, hasMark(mark));
}

async function remover(run: ListRun): Promise<void> {
  if (run.state.length === 0) return;
  const row = run.pick(run.state);
  await readRecord(run, row.id);
  await removal(run, row);
}

async function removal(run: ListRun, row: ModelRow): Promise<void> {
  const from = run.now;
  const { target, cached } = await targetOf(run, row);
  const removed = await removeOwn(target, undefined, cached).then(() => true, orRefused);
  if (removed) settled(run, from, lacks(row));
}

/** The record to write, by its owner or by a server app, and how it is in the cache. */
async function targetOf(run: ListRun, row: ModelRow) {
  const target = { resource: run.resource, id: row.id, userId: run.draw(4) > 0 ? row.userId : undefined };
  const request = requestOf([], { reads: [cachedReadOf(run.resource, row.id)] });
  const [cached] = (await admitted(request).catch(orEngine)) ?? [];
  return { target, cached };
}

const hasMark = (mark: number) => (state: State) => state.some((row) => row.mark === mark);
const lacks = (row: ModelRow) => (state: State) => !state.some(({ id }) => id === row.id);

/** A write was answered. When connections are lost its deletes may have failed: then only the sweep counts. */
function settled(run: ListRun, from: number, holds: (state: State) => boolean): void {
  if (run.schedule.faultShare === 0) run.answered(from, holds);
}

/** Single members of a record that has gone meanwhile are too few for a new one. */
const isGone = (error: unknown): boolean => error instanceof AppError && error.code === 'INVALID_INPUT';

async function operator(run: ListRun): Promise<void> {
  if (run.state.length === 0) return;
  const row = run.pick(run.state);
  const from = run.now;
  if (run.draw(4) === 0) {
    const removed = await deleteResource(run.resource, row.id).then(() => true, orEngine);
    if (removed) settled(run, from, lacks(row));
    return;
  }
  const { id, version, userId, ...some } = drawRow(run);
  const keepsOwner = run.draw(2) > 0;
  const put = keepsOwner
    ? putMembers(run.resource, row.id, some)
    : putResource(run.resource, row.id, { userId, ...some });
  const done = await put.then(
    () => true,
    (error: unknown) => (isGone(error) ? run.rolledBack() : orEngine(error)),
  );
  if (done) settled(run, from, hasMark(some.mark));
}

/** A tool that writes by itself, or a writer that dies after its commit. Neither moves records. */
async function otherTool(run: ListRun): Promise<void> {
  const { table } = run.resource;
  const row = run.state.length > 0 ? run.pick(run.state) : undefined;
  const mark = run.newMark();
  const what = run.draw(3);
  if (!row || what === 0) return run.insert(drawRow(run));
  const changes = what === 1 ? `position = ${run.draw(4)}` : 'deleted_at = NOW(3)';
  await run.execute(`UPDATE ${table} SET ${changes}, mark = ?, version = version + 1 WHERE id = ?`, [mark, row.id]);
}

/** After a sweep no reader gets what was changed before it. */
async function sweeper(run: ListRun): Promise<void> {
  const before = run.now;
  const swept = await sweepChangedRows([sweptResource(run.resource)], Date.now() + 60_000).catch(orEngine);
  if (swept?.whole) run.swept(before);
}

/**
 * The same request comes twice, as after a lost answer. Its second answer is the one that is used. Other readers may fill
 * their pages under the generation that it begins.
 */
async function repeater(run: ListRun): Promise<void> {
  const view = run.pick(run.views);
  const ask = () => questionOf(run, view, '', undefined, LARGER_PAGE);
  const request = requestFor(run, [ask()]);
  await admitted(request);
  // The time limit of the lost answer.
  for (let turns = run.draw(12); turns > 0; turns--) await run.schedule.turn();
  const question = ask();
  const reads = await admitted(request);
  await pageFrom(run, question, request.requestId, reads[0]);
}

async function replication(run: ListRun): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await run.schedule.turn();
    await run.unlocked();
    await run.replicate();
  }
}

/** A minute passes for all generations. The replica was behind by less than that, so it has what came before. */
async function timePasses(run: ListRun): Promise<void> {
  await run.schedule.turn();
  await run.unlocked();
  await run.replicate();
  for (const key of await run.redis.keys(`*:generation:*:${run.resource.name}:*`)) {
    const value = await run.redis.get(key);
    const [, number, begun] = /^G(\d+);(\d+)$/.exec(value ?? '') ?? [];
    if (number) await run.redis.set(key, `G${number};${Number(begun) - 61_000}`, 'KEEPTTL');
  }
}

async function leaseEnds(run: ListRun): Promise<void> {
  await run.schedule.turn();
  for (const key of await run.redis.keys(`*:page:*:${run.resource.name}:*`)) {
    if ((await run.redis.get(key))?.startsWith('L')) await run.redis.del(key);
  }
}

async function generationEnds(run: ListRun): Promise<void> {
  await run.schedule.turn();
  for (const key of await run.redis.keys(`*:generation:*:${run.resource.name}:*`)) await run.redis.del(key);
}

/** Loads first pages as cache-warm does, and in half of the cases begins a generation in the place of the one at hand. */
async function warmer(run: ListRun): Promise<void> {
  const longerThanAny = 700_000;
  for (let i = 0; i < 2; i++) {
    await keepWarm(run.resource, run.pick(warmRequests(run.resource)), run.pick([65_000, longerThanAny]));
  }
}

/** The new primary does not have the last write. */
async function failover(run: ListRun): Promise<void> {
  await run.schedule.turn();
  await run.unlocked();
  await run.restore(run.history[Math.max(0, run.now - 1)] as State);
}
