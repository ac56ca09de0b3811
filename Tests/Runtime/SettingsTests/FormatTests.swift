import TestSupport
import Testing

@testable import Settings

/// What each kind of value accepts and refuses.
@Suite("Setting formats", .tags(.unit))
struct FormatTests {
    @Test("an integer is decimal digits within its range", arguments: ["1", "64"])
    func integer(text: String) { #expect(SettingFormat<Int>.integer(1...64).parse(text) == Int(text)) }

    @Test(
        "an integer refuses other forms",
        arguments: ["0", "65", "+5", "05", " 5", "5 ", "1e1", "0x10", "5.0", "五", "9999999999999999999"]
    )
    func badInteger(text: String) { #expect(SettingFormat<Int>.integer(1...64).parse(text) == nil) }

    @Test("a boolean is true or false and nothing else")
    func boolean() {
        #expect(SettingFormat<Bool>.boolean.parse("true") == true)
        #expect(SettingFormat<Bool>.boolean.parse("false") == false)
        for text in ["TRUE", "1", "yes", "on", "tru"] { #expect(SettingFormat<Bool>.boolean.parse(text) == nil) }
    }

    @Test(
        "a duration is a whole number and a unit",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("30s", .seconds(30)), ("15m", .seconds(900)),
            ("1h", .seconds(3600)),
            ("30d", .seconds(2_592_000)),
        ]
    )
    func duration(text: String, value: Duration) { #expect(SettingFormat<Duration>.duration().parse(text) == value) }

    @Test(
        "a duration refuses other forms",
        arguments: [
            "30", "s", "1.5s", "-1s", "+1s", "1 s", "1S", "1min", "1h30m", "0s", "99999999999999999999s",
            "9223372036854775807d", "4000d", "٣s",
        ]
    )
    func badDuration(text: String) { #expect(SettingFormat<Duration>.duration().parse(text) == nil) }

    @Test("a duration may be zero only where that is said")
    func zeroDuration() {
        #expect(SettingFormat<Duration>.duration(from: .zero).parse("0ms") == .zero)
        #expect(SettingFormat<Duration>.duration(from: .seconds(1)).parse("999ms") == nil)
    }

    @Test(
        "a size is a whole number and a binary unit",
        arguments: [("1024B", 1024), ("256KiB", 262_144), ("1MiB", 1 << 20), ("1GiB", 1 << 30)]
    )
    func bytes(text: String, value: Int) { #expect(SettingFormat<Int>.bytes(1024...(1 << 30)).parse(text) == value) }

    @Test(
        "a size refuses other forms",
        arguments: ["1024", "1023B", "2GiB", "64KB", "64kib", "64 KiB", "-1KiB", "1.5MiB", "9223372036854775807GiB"]
    )
    func badBytes(text: String) { #expect(SettingFormat<Int>.bytes(1024...(1 << 30)).parse(text) == nil) }

    @Test("a rate is a count per second, minute, hour or day")
    func rate() {
        #expect(SettingFormat<Rate>.rate.parse("60/m") == Rate(count: 60, period: .seconds(60)))
        #expect(SettingFormat<Rate>.rate.parse("10/s") == Rate(count: 10, period: .seconds(1)))
        #expect(SettingFormat<Rate>.rate.parse("5/d") == Rate(count: 5, period: .seconds(86_400)))
        #expect(SettingFormat<Rate>.rate.orOff().parse("off") == .some(nil))
        for text in ["0/m", "60", "60/", "/m", "60/min", "60/ms", "-1/s", "1/s/s", "off", "06/s"] {
            #expect(SettingFormat<Rate>.rate.parse(text) == nil, "\(text)")
        }
    }

    @Test("a list is split at commas, and no item is empty")
    func list() {
        let format = SettingFormat<Int>.integer(0...9).list()
        #expect(format.parse("1, 2 ,3") == [1, 2, 3])
        for text in ["1,", ",1", "1,,2", "1;2", "1,10"] { #expect(format.parse(text) == nil, "\(text)") }
    }

    private enum Content: String, CaseIterable {
        case echo
        case conversation
        case timestamps
    }

    @Test("a choice is one of its raw values")
    func choice() {
        #expect(SettingFormat<Content>.choice.parse("timestamps") == .timestamps)
        #expect(SettingFormat<Content>.choice.parse("Echo") == nil)
        #expect(SettingFormat<Content>.choice.allowed == "one of `echo`, `conversation`, `timestamps`")
    }

    @Test("a number is decimal and within its range")
    func number() {
        #expect(SettingFormat<Double>.number(0...1).parse("0.25") == 0.25)
        for text in ["1.5", "-0.1", "1e-1", "nan", "inf", "0x1", ".", ""] {
            #expect(SettingFormat<Double>.number(0...1).parse(text) == nil, "\(text)")
        }
    }

    @Test("a server's URL has one of the schemes")
    func url() {
        let format = SettingFormat<ConnectionURL>.url(schemes: ["redis", "redis+cluster", "unix"])
        for text in ["redis://h:1/0", "REDIS://h", "redis+cluster://h1,h2", "unix:///run/redis.sock"] {
            #expect(format.parse(text)?.reveal() == text)
        }
        for text in ["http://h", "redis:h", "h:6379", "redis://", "redis://a b", "re dis://h", "://h"] {
            #expect(format.parse(text) == nil, "\(text)")
        }
    }

    @Test("an HTTP URL has a host, no user, and loses its trailing slash")
    func httpURL() {
        #expect(SettingFormat<String>.httpURL.parse("https://h:1/v1/") == "https://h:1/v1")
        for text in ["ftp://h", "h", "https://", "https:///v1", "https://u:p@h"] {
            #expect(SettingFormat<String>.httpURL.parse(text) == nil, "\(text)")
        }
    }

    @Test("an origin has no path")
    func origin() {
        #expect(SettingFormat<String>.origin.parse("https://App.example.org:8443") == "https://app.example.org:8443")
        #expect(SettingFormat<String>.origin.parse("*") == "*")
        for text in ["https://h/", "https://h/a", "h", "null", "file://h"] {
            #expect(SettingFormat<String>.origin.parse(text) == nil, "\(text)")
        }
    }

    @Test("text and hosts have no control characters, and hosts no blanks")
    func text() {
        #expect(SettingFormat<String>.text.parse("a b") == "a b")
        #expect(SettingFormat<String>.text.parse("a\nb") == nil)
        #expect(SettingFormat<String>.host.parse("::1") == "::1")
        #expect(SettingFormat<String>.host.parse("a b") == nil)
    }

    @Test("a secret has its least length, in bytes")
    func secret() {
        let format = SettingFormat<Secret>.secret(bytesMin: 4)
        #expect(format.parse("1234")?.reveal() == "1234")
        #expect(format.parse("éé")?.reveal() == "éé")
        #expect(format.parse("123") == nil)
        #expect(format.parse("12\r\n34") == nil)
    }
}

@Suite("IP networks", .tags(.unit))
struct IPNetworkTests {
    @Test("a network contains the addresses that share its prefix")
    func contains() throws {
        let ten = try #require(IPNetwork("10.0.0.0/8"))
        #expect(ten.contains("10.255.0.1"))
        #expect(ten.contains("::ffff:10.1.2.3"))
        #expect(!ten.contains("11.0.0.1"))
        #expect(!ten.contains("::1"))
        #expect(!ten.contains("host"))
        let odd = try #require(IPNetwork("192.168.128.0/17"))
        #expect(odd.contains("192.168.200.1"))
        #expect(!odd.contains("192.168.127.1"))
        let six = try #require(IPNetwork("fd00::/8"))
        #expect(six.contains("fdff::1"))
        #expect(!six.contains("fe00::1"))
        let all = try #require(IPNetwork("0.0.0.0/0"))
        #expect(all.contains("1.2.3.4"))
    }

    @Test("a lone address is a network of one")
    func single() throws {
        let one = try #require(IPNetwork("127.0.0.1"))
        #expect(one.prefixLength == 32)
        #expect(one.contains("127.0.0.1"))
        #expect(!one.contains("127.0.0.2"))
    }

    @Test(
        "other forms are refused",
        arguments: [
            "", "10.0.0.0/33", "10.1.0.0/8", "10.0.0/8", "fd00::/129", "10.0.0.0/", "10.0.0.0/08", "a/8", "1.2.3.4/8/8",
        ]
    )
    func bad(text: String) { #expect(IPNetwork(text) == nil) }
}
