/**
 * The most frequent passwords in lists of breached passwords, of at least 8 characters, in lower case. A short list is
 * enough, because lock rules stop guessing after the first hundred attempts. The list is part of the bundle.
 */
const COMMON = new Set(
  `password passw0rd password1 password12 password123 password1234 password! p@ssw0rd p@ssword pa$$word pa55word
  passwort1 mypassword password01 password2 password11 passwords password123! p@ssw0rd1 p@ssw0rd123
  12345678 123456789 1234567890 12345678910 123456781 123456123 12341234 123123123 1231231234 1q2w3e4r 1q2w3e4r5t
  1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 12344321 123454321 1234554321 87654321 987654321 9876543210 0987654321
  0123456789 01234567 11223344 1122334455 112233445566 11112222 12121212 123qweasd 123qwe123 1234qwer 12345qwert
  123456qwerty 123456abc 123456aa 12345678a 123456789a 1234567890a a12345678 a123456789 aa123456 aa12345678 aaa123456
  abc12345 abc123456 abc123456789 abcd1234 abcd12345 abcdefgh abcdefg1 abcdef123 a1b2c3d4 a1b2c3d4e5 as123456 asd12345
  asd123456 asdf1234 asdfghjk asdfghjkl asdfasdf asdasdasd q1w2e3r4 q1w2e3r4t5 qaz123456 qazwsxedc qazwsx123 qazwsx12
  qwe12345 qwe123456 qwer1234 qwerqwer qwert123 qwert12345 qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456
  qwertyui qwertyuio qwertyuiop qwertyuiop123 zaq12wsx zaq1zaq1 zxc123456 zxcvbnm1 zxcvbnm123 zxcvbnm, zxcvbnm123456
  iloveyou iloveyou1 iloveyou2 iloveyou! iloveu123 loveyou1 woaini123 woaini520 woaini1314 woaini521 5201314520
  52013145 520131420 13145200 13141314 1314520520 5211314520 147258369 741852963 789456123 963852741 159357456 123654789
  147852369 456789123 321654987 11111111 00000000 88888888 66666666 99999999 22222222 33333333 44444444 55555555 77777777
  111111111 000000000 888888888 999999999 1111111111 0000000000 8888888888 10101010 20202020 01010101 69696969
  19871987 19881988 12301230 20082008 31415926 314159265 3141592653 14789632 110110110 112112112 xiaoming123 zhang123
  wang1234 wangwang admin123 admin1234 admin12345 admin123456 administrator adminadmin root1234 rootroot root123456
  test1234 test12345 testtest testing1 testing123 user1234 guest123 guest1234 changeme changeme1 default1 letmein1
  letmein123 welcome1 welcome123 welcome01 welcome12 football football1 baseball baseball1 basketball superman
  superman1 batman123 spiderman starwars starwars1 pokemon1 pokemon123 princess princess1 sunshine sunshine1 charlie1
  michelle jennifer jordan23 computer computer1 internet internet1 whatever trustno1 samsung1 samsung123 michael1 ashley12
  liverpool chelsea1 arsenal1 barcelona realmadrid juventus ferrari1 mercedes corvette maverick midnight mustang1
  dragon123 monkey123 master123 shadow123 killer123 hello123 hellohello hello1234 helloworld google123 facebook
  facebook1 linkedin myspace1 babygirl babygirl1 butterfly chocolate cheese123 blink182 fuckyou1 fuckyou2 jessica1
  victoria elizabeth danielle patricia alexander alexandra benjamin brandon1 jonathan anthony1 nicholas christian
  scooter1 slipknot metallica nirvana1 rockstar rockyou1 password0 secret123 security access14 freedom1 november december
  september september1 summer2020 summer2021 summer2022 summer2023 summer2024 winter2023 spring2024 company123
  lovelove lovely123 lol123456 qq123456 qq123456789 w123456789 z123456789 x123456789 s123456789 li123456 wang123456
  zhang123456 aptx4869 p0o9i8u7 1a2b3c4d 1q1q1q1q q1q1q1q1 qqqqqqqq aaaaaaaa wwwwwwww zzzzzzzz xxxxxxxx abababab`.split(
    /\s+/,
  ),
);

/** `lowerCase`: the password in lower case. */
export const isCommonPassword = (lowerCase: string): boolean => COMMON.has(lowerCase);
