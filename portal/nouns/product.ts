import { listProducts, putProduct } from '../../shared/recharge/catalogue.ts';
import { flag, type Given, type Noun, type Printed, required } from '../command.ts';
import { idForm, nameForm } from '../forms.ts';
import { translated } from '../language.ts';
import { table } from '../table.ts';

const LIMITS = { min: 1, max: 1_000_000_000 };

const productOf = (given: Given) => ({
  productId: idForm('id', given.text('id')),
  title: nameForm('title', given.text('title')),
  amountFen: given.integer('amount-fen', LIMITS),
  units: given.integer('units', LIMITS),
  active: !given.flag('off'),
});

async function put(given: Given): Promise<Printed> {
  const product = productOf(given);
  await putProduct(product, given.actor);
  const state = product.active ? 'is on sale' : 'is off sale';
  return {
    json: product,
    text: [`${product.productId} ${state}: ${product.units} units for ${given.display.money(product.amountFen)}.`],
  };
}

async function whatPutReplaces(given: Given): Promise<string[]> {
  const wanted = productOf(given);
  const former = (await listProducts()).find(({ productId }) => productId === wanted.productId);
  if (!former) return [];
  const { productId, title, units, amountFen, active } = former;
  const state = active ? 'on sale' : 'off sale';
  return [
    `Product ${productId} will be replaced; it is ${title}, ${units} units for ${given.display.money(amountFen)}, ${state}.`,
  ];
}

async function list({ display }: Given): Promise<Printed> {
  const products = await listProducts();
  const rows = products.map(({ productId, title, amountFen, units, asset, active }) => [
    productId,
    title,
    display.money(amountFen),
    `${units} ${asset}`,
    active ? '' : translated('off sale'),
  ]);
  return { json: { products }, text: table(['product', 'title', 'price', 'gives', ''], rows) };
}

export const product: Noun = {
  about: 'products that users can buy (row C7)',
  verbs: {
    put: {
      about: 'Puts a product on sale, or changes it. Existing orders keep their price.',
      options: {
        id: required('X', 'the productId'),
        title: required('TEXT', 'title for users'),
        'amount-fen': required('N', 'its price in fen'),
        units: required('N', 'units that the wallet gets'),
        off: flag('takes it off sale'),
      },
      destructive: whatPutReplaces,
      run: put,
    },
    list: { about: 'Lists the products.', options: {}, destructive: false, run: list },
  },
};
