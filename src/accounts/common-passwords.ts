/**
 * Passwords that are tried first, in small letters, with eight characters or more. Our own selection: runs over the
 * keyboard, counting, names, teams and seasons as everybody knows them, and what servers of this kind come with.
 */
export const COMMON_PASSWORDS = `
!@#$%^&* !@#$%^&*() !qaz2wsx 01234567 0123456789 09876543 0987654321 0p9o8i7u 1000000000 100200300 101010101
10203040 102030405060 1111qqqq 11223344 1122334455 112233445566 12121212 12312312 123123123 123321123 12341234
12344321 1234554321 123456123 123456654321 12345678 123456780 123456789 1234567890 12345678900 1234567890a
1234567891 12345678910 123456789a 12345678a 12345679 1234567a 123456abc 123456qwerty 1234qwer 123abc123 123qweasd
123qweasdzxc 123qwerty 12qwaszx 13131313 1314520a 13579246 135792468 147147147 14725836 147258369 159159159
159753456 16777216 19841984 19871987 1a2b3c4d 1a2b3c4d5e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc
1qazxsw2 20002000 20202020 20242024 20252025 20262026 21212121 23232323 258258258 27182818 31415926 3141592653
321321321 369369369 45645645 456456456 5201314520 5201314a 55556666 66666666a 741852963 7777777a 789456123
789456123a 78978978 789789789 87654321 88888888a 88889999 987654321 9876543210 987987987 a12345678 a123456789
a1b2c3d4 a1b2c3d4e5 a1s2d3f4 aa123456 aa12345678 aaaa1111 aaaaaaa1 abc123!@# abc12345 abc123456 abc123abc abcabc123
abcd1234 abcd12345 abcde123 abcdef12 abcdefg1 abcdefgh abracadabra access123 access14 accesso1 adm1n123 admin!23
admin123 admin123! admin1234 admin12345 admin123456 admin2020 admin2021 admin2022 admin2023 admin2024 admin2025
admin2026 admin@123 adminadmin administrador administrator administrator1 alejandra alejandro alexander alexander1
alexandra america1 amorcito andrew123 android1 android123 angel123 angelangel anthony1 anything1 apple123 applepie
arsenal1 arsenal123 asd123asd asdasd123 asdasdasd asdf1234 asdfasdf asdfgh12 asdfghjk asdfghjkl asdfjkl; ashley123
atlanta1 australia autumn2020 autumn2021 autumn2022 autumn2023 autumn2024 autumn2025 autumn2026 azerty123 azertyui
azertyuiop babyboy1 babydoll babygirl babygirl1 bailey123 banana123 barcelona barcelona1 baseball baseball1
basketball batman123 bayern123 beautiful beautiful1 benjamin1 berlin123 blackberry blackjack blessed1 blink182
bond0070 bondjamesbond borussia1 brasil123 brasil2014 brooklyn1 brother1 business1 buster123 butterfly butterfly1
california california1 canada123 caroline centos123 changeit changeme changeme! changeme1 changeme123 changemenow
changethis charlie1 charlie123 cheese123 chelsea1 chelsea123 chevrolet1 chicago1 chocolate chocolate1 christian
christian1 christine christopher cisco123 company1 company123 computer computer1 contrasena contraseña cookie123
corazon1 correct-horse-battery-staple correcthorsebatterystaple corvette counter1 counterstrike cowboy123 cowboys1
dallas123 daniel123 danielle database database1 database123 debian123 debian1234 default1 default123 defaultpassword
demo1234 demodemo diamond1 discord1 discord123 docker123 dockerdocker dortmund dragon123 dragonball eagles123
elastic1 elastic123 elizabeth elizabeth1 eminem123 england1 estrella everything facebook facebook1 familia1
family123 father123 fernando ferrari1 ferrari123 florida1 football football1 forever1 forever21 fortnite fortnite1
francisco freedom1 freedom123 freenas1 friends1 friends123 gabriel1 gabriela garfield gateway1 germany1 ginger123
gitlab123 godisgood goodbye1 goodluck1 google123 gorgeous grafana1 grafana123 greenday guest123 guest1234 guestguest
hallo123 hallo1234 hamburg1 handsome happy123 happyday1 hardcore harley123 harleydavidson haslo123 heaven123
hello123 hello1234 hello12345 hellohello hellokitty helloworld helloworld1 heslo123 hewlettpackard homeassistant
homelab! homelab1 homelab12 homelab123 homelab1234 homelabhub homelabhub1 homelabhub123 homeserver homeserver1
honda123 hunter123 hunter22 hunter2hunter2 ilovegod iloveher ilovehim iloveme1 iloveyou iloveyou! iloveyou1
iloveyou2 instagram internet internet1 iphone123 ireland1 jamesbond jamesbond007 jarvis123 jarvisjarvis jellyfin
jellyfin1 jenkins1 jenkins123 jennifer jennifer1 jessica1 jessica123 jesus123 jesuschrist jesusislord jonathan
jonathan1 juventus1 kawasaki kubernetes kubernetes1 lakers24 lenovo123 letmein! letmein1 letmein123 letsgo123
lifesucks lightning linkedin linkinpark liverpool liverpool1 lkjhgfdsa london123 lovelove lovely123 loveyou1
manager1 manager123 manchester manunited mariposa marlboro master123 matthew1 matthew123 maverick mercedes mercedes1
metallica mexico123 michael1 michael123 michelle michelle1 mickey123 mickeymouse microsoft microsoft1 midnight
midnight1 mikrotik minecraft minecraft1 minio123 minioadmin mnbvcxz1 mnbvcxz123 mongo123 mongodb123 monkey12
monkey123 monkeys1 motdepasse mother123 muenchen mustang1 mustang67 myhomelab mypass123 mypassword mypassword1
mysql123 mysqlpass newcastle newpass123 newpassword newyork1 newyork123 nextcloud nextcloud1 nicholas nicole123
nintendo nirvana1 nopassword notapassword nothing1 nothing123 office123 office365 opensesame opensesame1 openwrt1
operator1 operator123 oracle123 orange123 p0o9i8u7 p@55w0rd p@ssw0rd p@ssw0rd1 p@ssword p@ssword1 pa$$w0rd pa$$word
pa55word paris123 parola123 pass1234 pass12345 pass123456 pass@123 pass@1234 passpass passpass1 passw0rd passw0rd!
password password! password01 password1 password1! password12 password123 password1234 password12345 password123456
password2 password99 password@123 passwort passwort1 passwort123 patricia patrick1 patriots1 peanut123 pepper123
phoenix1 pihole123 pikachu1 playstation pleasechange poiuyt123 poiuytrewq pokemon1 pokemon123 porsche1 porsche911
portainer portainer1 portainer123 postgres postgres1 postgres12 postgres123 postgrespassword postgresql princess
princess1 private1 private123 proxmox1 proxmox123 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 qazqazqaz qazwsx123 qazwsxedc
qq123456 qwaszx12 qwe123456 qwe123qwe qweasd123 qweasdzxc qweqweqwe qwer1234 qwerasdf qwerty12 qwerty123 qwerty1234
qwerty12345 qwerty123456 qwertyui qwertyuiop qwertyuiop123 qwertz123 qwertzuiop rainbow1 raspberry raspberry1
raspberrypi raspbian realmadrid redis123 robert123 roblox123 rockstar rockstar1 root1234 root12345 root123456
rootroot salasana samantha samantha1 samsung1 samsung123 schalke04 schatz123 scooby123 scotland scotland1 sebastian
sebastian1 secret123 secret1234 secretkey secretpassword security security1 security123 senha123 server123
serverpass service1 service123 shadow12 shadow123 sister123 slipknot1 snoopy123 softball something1 sommer123
sommer2023 sommer2024 sommer2025 spiderman spiderman1 spring2020 spring2021 spring2022 spring2023 spring2024
spring2025 spring2026 starwars starwars1 steelers steelers1 stephanie strawberry streambot summer123 summer2020
summer2021 summer2022 summer2023 summer2024 summer2025 summer2026 sunshine sunshine1 superman superman1 supersecret
support1 support123 suzuki123 sweetheart sweetie1 synology synology1 system123 teamo123 teamomucho temp1234
temp12345 temporary temppass temppass1 test1234 test12345 test123456 testing1 testing123 testpass testtest testuser
thepassword thinkpad thomas123 thunder1 tinkerbell tomcat123 toor1234 topsecret toshiba1 toyota123 truenas1
truenas123 trustno1 ubnt1234 ubuntu123 ubuntu1234 unraid123 user1234 user12345 username username1 useruser vagrant1
vagrant123 valentina veronica verysecret victoria victoria1 volleyball wachtwoord warcraft welcome! welcome1
welcome12 welcome123 welcome1234 welcome2020 welcome2021 welcome2022 welcome2023 welcome2024 welcome2025 welcome2026
whatever whatever1 william1 william123 windows1 windows10 windows11 windows7 winter123 winter2020 winter2021
winter2022 winter2023 winter2024 winter2025 winter2026 woaini123 woaini1314 woaini520 worldofwarcraft wsxwsxwsx
yamaha123 yankee123 yankees1 yourpassword z1x2c3v4 zachary1 zaq12wsx zaq1xsw2 zaq1zaq1 zxc123zxc zxcvasdf zxcvbnm,
zxcvbnm1 zxcvbnm123 zxczxczxc
`;
