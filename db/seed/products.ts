type Product = { productId: string; title: string; amountFen: number; units: number };

/** One coin is ten fen; the prices are the steps that players know. */
export const sampleProducts: readonly Product[] = [
  { productId: 'coins-10', title: '10 金币 · 10 coins', amountFen: 100, units: 10 },
  { productId: 'coins-60', title: '60 金币 · 60 coins', amountFen: 600, units: 60 },
  { productId: 'coins-100', title: '100 金币 · 100 coins', amountFen: 1000, units: 100 },
  { productId: 'coins-300', title: '300 金币 · 300 coins', amountFen: 3000, units: 300 },
  { productId: 'coins-980', title: '980 金币 · 980 coins', amountFen: 9800, units: 980 },
  { productId: 'coins-1980', title: '1980 金币 · 1980 coins', amountFen: 19800, units: 1980 },
];
