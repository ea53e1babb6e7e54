type Item = { itemId: string; title: string; amount: number };

/** What the sample coins buy; `amount` is the price in coins. */
export const sampleItems: readonly Item[] = [
  { itemId: 'hat', title: '帽子 · Hat', amount: 3 },
  { itemId: 'sword', title: '宝剑 · Sword', amount: 30 },
];
