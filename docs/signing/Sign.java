import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs a call and prints its access-token. Java 11 or later, no libraries.
 *
 * <pre>
 * java Sign.java v1 SHA1 APP_ID PRIVATE_KEY TIME_STAMP NONCE
 * java Sign.java v2 APP_ID PRIVATE_KEY TIME_STAMP NONCE METHOD PATH QUERY BODY
 * </pre>
 */
public final class Sign {
  public static void main(String[] a) throws Exception {
    System.out.println(
        a[0].equals("v1")
            ? signV1(a[1], a[2], a[3], a[4], a[5])
            : signV2(a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]));
  }

  static String signV1(String method, String appId, String privateKey, String timeStamp, String nonce)
      throws Exception {
    // The order must be that of the unsigned bytes of UTF-8; String.compareTo compares UTF-16 units.
    byte[][] parts =
        Stream.of(appId, timeStamp, nonce, privateKey)
            .map(text -> text.getBytes(StandardCharsets.UTF_8))
            .sorted(Arrays::compareUnsigned)
            .toArray(byte[][]::new);
    MessageDigest hash = MessageDigest.getInstance(method.equals("SHA1") ? "SHA-1" : "MD5");
    for (byte[] part : parts) hash.update(part);
    return accessToken(method, appId, timeStamp, nonce, hex(hash.digest()));
  }

  static String signV2(
      String appId,
      String privateKey,
      String timeStamp,
      String nonce,
      String method,
      String path,
      String query,
      String body)
      throws Exception {
    String encodedPath =
        Arrays.stream(path.split("/", -1)).map(Sign::encode).collect(Collectors.joining("/"));
    byte[] bodyHash = MessageDigest.getInstance("SHA-256").digest(utf8(body));
    String toSign =
        String.join(
            "\n",
            "MPC2-HMAC-SHA256",
            appId,
            timeStamp,
            nonce,
            method,
            encodedPath,
            canonicalQuery(query),
            hex(bodyHash));
    byte[] derived = hmac(utf8(privateKey), utf8("MPC2\n" + appId));
    return accessToken("HMAC-SHA256", appId, timeStamp, nonce, hex(hmac(derived, utf8(toSign))));
  }

  static String canonicalQuery(String query) {
    List<String[]> pairs = new ArrayList<>();
    for (String part : query.split("&")) {
      if (part.isEmpty()) continue;
      String[] pair = part.split("=", 2);
      pairs.add(new String[] {encode(decode(pair[0])), encode(pair.length > 1 ? decode(pair[1]) : "")});
    }
    // Encoded text is ASCII, so String.compareTo compares bytes here.
    pairs.sort(Comparator.<String[], String>comparing(pair -> pair[0]).thenComparing(pair -> pair[1]));
    return pairs.stream().map(pair -> String.join("=", pair)).collect(Collectors.joining("&"));
  }

  static String decode(String text) {
    return URLDecoder.decode(text, StandardCharsets.UTF_8);
  }

  // URLEncoder encodes for HTML forms, which differs from RFC 3986 in these three characters.
  static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8)
        .replace("+", "%20")
        .replace("*", "%2A")
        .replace("%7E", "~");
  }

  static String accessToken(
      String method, String appId, String timeStamp, String nonce, String signature) {
    // None of the five values needs escaping in JSON.
    String json =
        String.format(
            "{\"signatureMethod\":\"%s\",\"AppID\":\"%s\",\"timeStamp\":\"%s\",\"nonce\":\"%s\",\"signature\":\"%s\"}",
            method, appId, timeStamp, nonce, signature);
    return Base64.getEncoder().encodeToString(utf8(json));
  }

  static byte[] hmac(byte[] key, byte[] message) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(message);
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String hex(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) text.append(String.format("%02x", b));
    return text.toString();
  }
}
