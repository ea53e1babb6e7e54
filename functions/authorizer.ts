import type { APIGatewayRequestAuthorizerEventV2, Context } from 'aws-lambda';
import { authorizeCall } from '../shared/http/authorize.ts';

/**
 * access-token -> { isAuthorized, context }: only computation in a running instance. endpoint() does the other checks.
 */
export const handler = (event: APIGatewayRequestAuthorizerEventV2, context: Context) => authorizeCall(event, context);
