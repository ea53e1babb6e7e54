import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `npm run docs:rooms` writes the list and the pictures of the rooms into architecture.md, from rooms.json. */

export interface Room {
  room: string;
  /** Folders (`serve/`) and patterns of one folder (`shared/*.ts`). */
  files: string[];
  for: string;
  imports: string[];
}

const START = '<!-- rooms: written by "npm run docs:rooms" from rooms.json -->';
const END = '<!-- end of rooms -->';
const pagePath = join(import.meta.dirname, 'architecture.md');

export const readPage = (): string => readFileSync(pagePath, 'utf8');
export const readRooms = (): Room[] => JSON.parse(readFileSync(join(import.meta.dirname, 'rooms.json'), 'utf8'));

type Arrows = Map<string, Set<string>>;

/** Arrows between `names`, where `nameOf` says which of them a room belongs to. */
function arrowsBetween(rooms: Room[], nameOf: (room: string) => string | undefined): Arrows {
  const arrows: Arrows = new Map();
  for (const { room, imports } of rooms) {
    const from = nameOf(room);
    if (from === undefined) continue;
    const targets = arrows.get(from) ?? new Set();
    arrows.set(from, targets);
    for (const name of imports.map(nameOf)) if (name !== undefined && name !== from) targets.add(name);
  }
  return arrows;
}

function reaches(arrows: Arrows, from: string, to: string): boolean {
  return [...(arrows.get(from) ?? [])].some((next) => next === to || reaches(arrows, next, to));
}

/** The lines that are needed to see who reaches whom: an arrow that a longer way also says is left out. */
function lines(arrows: Arrows): string[] {
  return [...arrows].flatMap(([from, targets]) => {
    const told = [...targets].filter((to) => ![...targets].some((via) => via !== to && reaches(arrows, via, to)));
    return told.length === 0 ? [] : `  ${from} --> ${told.join(' & ')}`;
  });
}

const chart = (arrows: Arrows): string[] => ['```mermaid', 'flowchart TD', ...lines(arrows), '```'];

const ofHouse = (room: string): string | undefined =>
  room === 'test' ? undefined : room.startsWith('shared') ? 'shared' : room;
const ofShared = (room: string): string | undefined =>
  room === 'functions' ? room : room === 'shared base' ? 'base' : room.split('shared/')[1];

function drawing(rooms: Room[]): string {
  const folder = ({ room, files }: Room) =>
    (room.includes(' ') ? files : [room]).map((name) => `\`${name}\``).join(', ');
  const deployed = rooms.findIndex(({ room }) => room === 'functions');
  return [
    '| room | for |',
    '|---|---|',
    // What is deployed first, from the top down; then the rest, from what the others stand on.
    ...[...rooms.slice(deployed), ...rooms.slice(0, deployed).reverse()].map(
      (room) => `| ${folder(room)} | ${room.for} |`,
    ),
    '',
    'An arrow means "may import". To keep the pictures readable, an arrow is left out where a longer path of arrows leads to the same',
    'room; rooms.json has all of them. First the whole project, without `test`:',
    '',
    ...chart(arrowsBetween(rooms, ofHouse)),
    '',
    'The second picture shows what runs in Lambda. `base` is the files `shared/*.ts`:',
    '',
    ...chart(arrowsBetween(rooms, ofShared)),
  ].join('\n');
}

/** The page with the rooms as rooms.json has them. */
export function withRooms(page: string, rooms: Room[]): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) throw new Error(`architecture.md lacks the line ${START} or ${END}`);
  return `${page.slice(0, start)}${START}\n\n${drawing(rooms)}\n\n${page.slice(end)}`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(pagePath, withRooms(readPage(), readRooms()));
