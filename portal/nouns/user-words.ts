import { AppError } from '../../shared/errors.ts';
import { required } from '../command.ts';

/** What the commands for users have in common. */
export const USER = required('ID', 'the userId');

export const noUser = (userId: string): AppError =>
  new AppError(
    'NOT_FOUND',
    `There is no user ${userId}. --user takes the userId: "user find --account NAME" prints it.`,
  );
