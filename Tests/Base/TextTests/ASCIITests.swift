import TestSupport
import Testing
import Text

@Suite("ASCII", .tags(.unit))
struct ASCIITests {
    @Test("letters, digits and the bytes of a token are those of RFC 9110")
    func classes() {
        let letters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        let digits = Set("0123456789".utf8)
        let token = letters.union(digits).union("!#$%&'*+-.^_`|~".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(byte.isLetter == letters.contains(byte))
            #expect(byte.isDigit == digits.contains(byte))
            #expect(byte.isToken == token.contains(byte))
        }
        #expect("X-Api_Key~1".isToken && !"".isToken && !"a b".isToken && !"é".isToken)
    }
}
