// Signs a call and prints its access-token. .NET 5 or later, no packages.
//   dotnet run v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
//   dotnet run v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
using System;
using System.Linq;
using System.Security.Cryptography;
using System.Text;

public static class Sign
{
    public static void Main(string[] a)
    {
        Console.WriteLine(a[0] == "v1"
            ? V1(a[1], a[2], a[3], a[4], a[5])
            : V2(a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]));
    }

    public static string V1(string method, string appId, string privateKey, string timeStamp, string nonce)
    {
        // Lower-case hex of UTF-8 sorts in the order of the bytes. The default order is that of the culture, which is
        // wrong here. A SortedSet would also drop one of two equal values.
        var parts = new[] { appId, timeStamp, nonce, privateKey }
            .OrderBy(text => Hex(Utf8(text)), StringComparer.Ordinal);
        byte[] joined = Utf8(string.Concat(parts));
        using (HashAlgorithm hash = method == "SHA1" ? (HashAlgorithm)SHA1.Create() : MD5.Create())
            return AccessToken(method, appId, timeStamp, nonce, Hex(hash.ComputeHash(joined)));
    }

    public static string V2(
        string appId, string privateKey, string timeStamp, string nonce,
        string method, string path, string query, string body)
    {
        string bodyHash;
        using (var sha256 = SHA256.Create()) bodyHash = Hex(sha256.ComputeHash(Utf8(body)));
        string toSign = string.Join("\n", new[]
        {
            "MPC2-HMAC-SHA256", appId, timeStamp, nonce, method,
            string.Join("/", path.Split('/').Select(Encode)), CanonicalQuery(query), bodyHash,
        });
        byte[] derived = Hmac(Utf8(privateKey), Utf8("MPC2\n" + appId));
        return AccessToken("HMAC-SHA256", appId, timeStamp, nonce, Hex(Hmac(derived, Utf8(toSign))));
    }

    static string CanonicalQuery(string query)
    {
        var pairs = query.Split('&')
            .Where(part => part != "")
            .Select(part => part.Split(new[] { '=' }, 2))
            .Select(pair => new[] { Encode(Decode(pair[0])), Encode(pair.Length > 1 ? Decode(pair[1]) : "") })
            .OrderBy(pair => pair[0], StringComparer.Ordinal)
            .ThenBy(pair => pair[1], StringComparer.Ordinal);
        return string.Join("&", pairs.Select(pair => pair[0] + "=" + pair[1]));
    }

    static string Decode(string text) => Uri.UnescapeDataString(text.Replace("+", " "));

    // EscapeDataString encodes everything except the unreserved characters of RFC 3986.
    static string Encode(string text) => Uri.EscapeDataString(text);

    static string AccessToken(string method, string appId, string timeStamp, string nonce, string signature)
    {
        // None of the five values needs escaping in JSON.
        string json = "{\"signatureMethod\":\"" + method + "\",\"AppID\":\"" + appId + "\",\"timeStamp\":\"" + timeStamp
            + "\",\"nonce\":\"" + nonce + "\",\"signature\":\"" + signature + "\"}";
        return Convert.ToBase64String(Utf8(json));
    }

    static byte[] Hmac(byte[] key, byte[] message)
    {
        using (var mac = new HMACSHA256(key)) return mac.ComputeHash(message);
    }

    static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    static string Hex(byte[] bytes) => string.Concat(bytes.Select(value => value.ToString("x2")));
}
