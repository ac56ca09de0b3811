package import Application
internal import Cryptography

/// Fingerprints by SHA-256 (FIPS 180-4).
package struct SHA256Fingerprinting: Fingerprinting {
    package init() {}

    package func fingerprint(_ text: String) -> Fingerprint {
        Fingerprint(Array(SHA256.digest(text.utf8)))
    }
}
