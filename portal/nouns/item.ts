import { type Item, listItems, putItem } from '../../shared/recharge/items.ts';
import { flag, type Given, type Noun, type Printed, required } from '../command.ts';
import { idForm, nameForm } from '../forms.ts';
import { translated } from '../language.ts';
import { table } from '../table.ts';

const itemOf = (given: Given): Item => ({
  itemId: idForm('id', given.text('id')),
  title: nameForm('title', given.text('title')),
  amount: given.integer('amount', { min: 1, max: 1_000_000_000 }),
  active: !given.flag('off'),
});

async function put(given: Given): Promise<Printed> {
  const item = itemOf(given);
  await putItem(item, given.actor);
  const state = item.active ? 'can be bought' : 'is switched off';
  return { json: { ...item }, text: [`Item ${item.itemId} ${state}, at ${item.amount} units.`] };
}

async function whatPutReplaces(given: Given): Promise<string[]> {
  const wanted = itemOf(given);
  const former = (await listItems()).find(({ itemId }) => itemId === wanted.itemId);
  if (!former) return [];
  const { itemId, title, amount } = former;
  return [`Item ${itemId} will be replaced; it is ${title}, at ${amount} units.`];
}

async function list(): Promise<Printed> {
  const items = await listItems();
  const rows = items.map(({ itemId, title, amount, active }) => [
    itemId,
    title,
    String(amount),
    active ? '' : translated('switched off'),
  ]);
  return { json: { items }, text: table(['item', 'title', 'units', ''], rows) };
}

export const item: Noun = {
  about: 'items on which users spend units, with their price (row C7)',
  verbs: {
    put: {
      about: 'Adds an item, or changes it. What was spent keeps its price.',
      options: {
        id: required('X', 'the itemId'),
        title: required('TEXT', 'title for users'),
        amount: required('N', 'its price in units'),
        off: flag('nobody can buy it any more'),
      },
      destructive: whatPutReplaces,
      run: put,
    },
    list: { about: 'Lists the items.', options: {}, destructive: false, run: list },
  },
};
