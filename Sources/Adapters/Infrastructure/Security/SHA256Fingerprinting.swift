package import Application
internal import Cryptography

/// Fingerprints by SHA-256 (FIPS 180-4).
package struct SHA256Fingerprinting: Fingerprinting {
    package init() {}

    package func fingerprint(_ text: String) -> Fingerprint {
        Fingerprint(hexadecimal: hexadecimal(SHA256.digest(text.utf8)))
    }
}

/// Two lower-case digits for each byte.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }.joined()
}
