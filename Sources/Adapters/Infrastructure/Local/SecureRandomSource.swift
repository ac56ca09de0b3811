internal import Cryptography
internal import Shared

/// OpenSSL's random number generator.
package struct SecureRandomSource: RandomSource {
    package init() {}

    package func next() -> UInt64 { SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) } }
}
