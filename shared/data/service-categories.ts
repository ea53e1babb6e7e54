/** The categories of services: known beforehand, so a list by category refuses all others. */
export const SERVICE_CATEGORIES = ['home', 'repair', 'beauty', 'sport', 'classes', 'pets', 'other'] as const;
export type ServiceCategory = (typeof SERVICE_CATEGORIES)[number];
