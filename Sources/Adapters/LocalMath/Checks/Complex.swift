internal import Glibc

/// A complex number in double precision, for checking answers.
struct Complex: Equatable, Sendable {
    var real: Double
    var imaginary: Double

    init(_ real: Double, _ imaginary: Double = 0) {
        self.real = real
        self.imaginary = imaginary
    }

    static let i = Complex(0, 1)
    static let one = Complex(1)

    var magnitude: Double { hypot(real, imaginary) }
    var isFinite: Bool { real.isFinite && imaginary.isFinite }
    /// True if the imaginary part is within rounding.
    var isReal: Bool { abs(imaginary) <= 1e-9 * max(1, abs(real)) }

    /// Without negative zeros, which would put real numbers on the other side of the branch cuts.
    static prefix func - (value: Complex) -> Complex { Complex(0 - value.real, 0 - value.imaginary) }
    static func + (left: Complex, right: Complex) -> Complex {
        Complex(left.real + right.real, left.imaginary + right.imaginary)
    }
    static func - (left: Complex, right: Complex) -> Complex { left + -right }
    static func * (left: Complex, right: Complex) -> Complex {
        if left.imaginary == 0, right.imaginary == 0 { return Complex(left.real * right.real) }
        return Complex(
            left.real * right.real - left.imaginary * right.imaginary,
            left.real * right.imaginary + left.imaginary * right.real,
        )
    }
    static func / (left: Complex, right: Complex) -> Complex {
        if left.imaginary == 0, right.imaginary == 0 { return Complex(left.real / right.real) }
        let square = right.real * right.real + right.imaginary * right.imaginary
        let product = left * Complex(right.real, -right.imaginary)
        return Complex(product.real / square, product.imaginary / square)
    }

    var exponential: Complex {
        if imaginary == 0 { return Complex(exp(real)) }
        return Complex(exp(real) * cos(imaginary), exp(real) * sin(imaginary))
    }
    /// The principal value.
    var logarithm: Complex {
        if imaginary == 0, real > 0 { return Complex(log(real)) }
        return Complex(log(magnitude), atan2(imaginary, real))
    }
    /// The principal value.
    var squareRoot: Complex {
        if imaginary == 0 { return real >= 0 ? Complex(real.squareRoot()) : Complex(0, (-real).squareRoot()) }
        return (logarithm * Complex(0.5)).exponential
    }

    /// The principal value; real for real operands where it is.
    func power(_ exponent: Complex) -> Complex {
        if imaginary == 0, exponent.imaginary == 0 {
            let value = pow(real, exponent.real)
            if real >= 0 || exponent.real == exponent.real.rounded() { return Complex(value) }
        }
        if exponent.imaginary == 0, exponent.real == exponent.real.rounded(), abs(exponent.real) <= 64 {
            var product = Complex.one
            for _ in 0..<Int(abs(exponent.real)) { product = product * self }
            return exponent.real < 0 ? .one / product : product
        }
        return (logarithm * exponent).exponential
    }

    /// Equal up to rounding, relative to the larger of the two (and of 1).
    func isClose(to other: Complex, tolerance: Double = 1e-7) -> Bool {
        guard isFinite, other.isFinite else { return false }
        return (self - other).magnitude <= tolerance * max(1, magnitude, other.magnitude)
    }
}
