type Booking = { id: number; serviceId: number; day: string; note: string; status: string; createdAt: string };
type Review = { id: number; serviceId: number; stars: number; words: string; createdAt: string };

/** Records of the demo user. Records that a call creates have ids of 53 bits, so they do not meet these. */
export const sampleBookings: readonly Booking[] = [
  {
    id: 1,
    serviceId: 1,
    day: '2026-01-10',
    note: '门禁坏了，请打电话 · The bell is broken, please call',
    status: 'done',
    createdAt: '2026-01-05 02:00:00.000',
  },
  {
    id: 2,
    serviceId: 4,
    day: '2030-05-01',
    note: '下午三点以后 · After three, please',
    status: 'confirmed',
    createdAt: '2026-01-12 03:30:00.000',
  },
  { id: 3, serviceId: 2, day: '2030-05-08', note: '', status: 'requested', createdAt: '2026-01-20 09:15:00.000' },
];

export const sampleReviews: readonly Review[] = [
  {
    id: 1,
    serviceId: 1,
    stars: 5,
    words: '窗户亮得像没有玻璃 · You would think the windows have no glass',
    createdAt: '2026-01-11 10:00:00.000',
  },
  {
    id: 2,
    serviceId: 8,
    stars: 4,
    words: '很准时，只是有点吵 · On time, a little loud',
    createdAt: '2026-01-15 12:20:00.000',
  },
  { id: 3, serviceId: 1, stars: 3, words: '', createdAt: '2026-01-25 08:45:00.000' },
];
