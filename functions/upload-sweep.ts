import { scheduled } from '../shared/http/scheduled.ts';
import { sweepUploads } from '../shared/upkeep/upload-sweep.ts';

/** Once a minute: deletes the objects of uploads that no record uses. */
export const handler = scheduled('upload-sweep', (stopAt) => sweepUploads({ stopAt }));
