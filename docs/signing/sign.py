"""Signs a call and prints its access-token. Python 3.7 or later, standard library only.

    python3 sign.py v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
    python3 sign.py v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
"""
import base64
import hashlib
import hmac
import json
import sys
from urllib.parse import quote, unquote


def sign_v1(method, app_id, private_key, time_stamp, nonce):
    parts = sorted(text.encode() for text in (app_id, time_stamp, nonce, private_key))
    signature = hashlib.new(method.lower(), b"".join(parts)).hexdigest()
    return access_token(method, app_id, time_stamp, nonce, signature)


def sign_v2(app_id, private_key, time_stamp, nonce, method, path, query, body):
    lines = [
        "MPC2-HMAC-SHA256",
        app_id,
        time_stamp,
        nonce,
        method,
        "/".join(encode(segment) for segment in path.split("/")),
        canonical_query(query),
        hashlib.sha256(body.encode()).hexdigest(),
    ]
    derived = hmac.new(private_key.encode(), ("MPC2\n" + app_id).encode(), hashlib.sha256).digest()
    signature = hmac.new(derived, "\n".join(lines).encode(), hashlib.sha256).hexdigest()
    return access_token("HMAC-SHA256", app_id, time_stamp, nonce, signature)


def canonical_query(query):
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((encode(decode(name)), encode(decode(value))))
    return "&".join(name + "=" + value for name, value in sorted(pairs))


def decode(text):
    return unquote(text.replace("+", " "), errors="strict")


def encode(text):
    return quote(text, safe="-._~")


def access_token(method, app_id, time_stamp, nonce, signature):
    token = {
        "signatureMethod": method,
        "AppID": app_id,
        "timeStamp": time_stamp,
        "nonce": nonce,
        "signature": signature,
    }
    return base64.b64encode(json.dumps(token, separators=(",", ":")).encode()).decode()


if __name__ == "__main__":
    print(sign_v1(*sys.argv[2:]) if sys.argv[1] == "v1" else sign_v2(*sys.argv[2:]))
