import type { APIGatewayRequestAuthorizerEventV2, Context } from 'aws-lambda';
import { authorizeCall } from '../shared/http/authorize.ts';

/** access-token -> { isAuthorized, context }: pure computation on a warm instance. Anything else belongs to endpoint(). */
export const handler = (event: APIGatewayRequestAuthorizerEventV2, context: Context) => authorizeCall(event, context);
