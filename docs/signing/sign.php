<?php
// Signs a call and prints its access-token. PHP 7.4 or later, no extensions.
//   php sign.php v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
//   php sign.php v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
declare(strict_types=1);

function signV1(string $method, string $appId, string $privateKey, string $timeStamp, string $nonce): string
{
    $parts = [$appId, $timeStamp, $nonce, $privateKey];
    sort($parts, SORT_STRING); // without SORT_STRING, PHP compares numeric texts as numbers
    return accessToken($method, $appId, $timeStamp, $nonce, hash(strtolower($method), implode('', $parts)));
}

function signV2(
    string $appId,
    string $privateKey,
    string $timeStamp,
    string $nonce,
    string $method,
    string $path,
    string $query,
    string $body
): string {
    $toSign = implode("\n", [
        'MPC2-HMAC-SHA256',
        $appId,
        $timeStamp,
        $nonce,
        $method,
        implode('/', array_map('rawurlencode', explode('/', $path))),
        canonicalQuery($query),
        hash('sha256', $body),
    ]);
    $derived = hash_hmac('sha256', "MPC2\n" . $appId, $privateKey, true);
    return accessToken('HMAC-SHA256', $appId, $timeStamp, $nonce, hash_hmac('sha256', $toSign, $derived));
}

// parse_str cannot be used: it renames parameters and drops repeated ones.
function canonicalQuery(string $query): string
{
    $pairs = [];
    foreach (explode('&', $query) as $part) {
        if ($part === '') {
            continue;
        }
        [$name, $value] = explode('=', $part, 2) + [1 => ''];
        $pairs[] = [rawurlencode(urldecode($name)), rawurlencode(urldecode($value))];
    }
    // strcmp compares bytes; <=> would compare numeric texts as numbers.
    usort($pairs, static fn (array $a, array $b): int => strcmp($a[0], $b[0]) ?: strcmp($a[1], $b[1]));
    return implode('&', array_map(static fn (array $pair): string => implode('=', $pair), $pairs));
}

function accessToken(string $method, string $appId, string $timeStamp, string $nonce, string $signature): string
{
    return base64_encode((string) json_encode([
        'signatureMethod' => $method,
        'AppID' => $appId,
        'timeStamp' => $timeStamp,
        'nonce' => $nonce,
        'signature' => $signature,
    ]));
}

$arguments = array_slice($argv, 2);
echo $argv[1] === 'v1' ? signV1(...$arguments) : signV2(...$arguments), "\n";
