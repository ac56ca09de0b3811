internal import Glibc

/// Definite integrals by numbers: tanh-sinh quadrature (Takahasi and Mori, 1974), which bears singular ends.
enum Quadrature {
    /// Larger functions are not integrated here: it would hold up the loop.
    private static let weightMax = 200

    /// The integral over `from...to`, either of which may be infinite; nil where the function has no real value or the
    /// sum does not settle to about seven digits.
    static func integral(_ function: Expression, by variable: Variable, from: Double, to: Double) -> Double? {
        if from > to { return integral(function, by: variable, from: to, to: from).map { -$0 } }
        if from == to { return 0 }
        guard function.weight <= weightMax else { return nil }
        guard let pieces = pieces(from, to) else { return nil }
        func value(_ x: Double) -> Double? { Evaluation.real(function, [variable: Complex(x)]) }
        var total = 0.0
        for piece in pieces {
            guard let part = refined(piece, value) else { return nil }
            total += part
        }
        return total
    }

    /// A finite interval, or one that is mapped from [0, 1) to infinity in a direction.
    private enum Piece {
        case finite(Double, Double)
        case toInfinity(start: Double, direction: Double)
    }

    /// An uneven cut, so that a singular point inside shows by not settling.
    private static func pieces(_ from: Double, _ to: Double) -> [Piece]? {
        switch (from.isFinite, to.isFinite) {
        case (true, true):
            let cuts = (0...8).map { from + (to - from) * Double($0) / 8 }
            return zip(cuts, cuts.dropFirst()).map { .finite($0, $1) }
        case (true, false): return [.toInfinity(start: from, direction: 1)]
        case (false, true): return [.toInfinity(start: to, direction: -1)]
        case (false, false): return [.toInfinity(start: 0, direction: -1), .toInfinity(start: 0, direction: 1)]
        }
    }

    private static func refined(_ piece: Piece, _ value: (Double) -> Double?) -> Double? {
        var step = 0.25
        guard var before = sum(piece, step, value) else { return nil }
        for _ in 0..<5 {
            step /= 2
            guard let now = sum(piece, step, value) else { return nil }
            if abs(now - before) <= 1e-9 * max(1, abs(now)) { return now }
            before = now
        }
        return nil
    }

    /// The trapezoidal rule after x = tanh(π/2 · sinh t); distances from the ends are kept to full precision.
    private static func sum(_ piece: Piece, _ step: Double, _ value: (Double) -> Double?) -> Double? {
        var total = 0.0
        var terms: [Double] = []
        let reach = Int(4 / step)
        for index in -reach...reach {
            let t = Double(index) * step
            let inner = Double.pi / 2 * sinh(t)
            // The place on (0, 1) and its distance from 1.
            let place = 1 / (1 + exp(-2 * inner))
            let rest = 1 / (1 + exp(2 * inner))
            let weight = Double.pi / 4 * cosh(t) / (cosh(inner) * cosh(inner))
            guard weight > 0, place > 0, rest > 0 else { continue }
            switch piece {
            case .finite(let from, let to):
                let x = place < 0.5 ? from + (to - from) * place : to - (to - from) * rest
                guard x > from, x < to else { continue }
                guard let y = value(x) else { return nil }
                terms.append(y * weight * (to - from))
            case .toInfinity(let start, let direction):
                let x = place / rest
                guard x > 0, x < 1e100 else { continue }
                guard let y = value(start + direction * x) else { continue }
                terms.append(y * weight / (rest * rest))
            }
        }
        for term in terms { total += term }
        // Terms that do not fade towards the ends belong to an integral that has no finite value.
        let ends = terms.prefix(2) + terms.suffix(2)
        guard total.isFinite, ends.allSatisfy({ abs($0) * step <= 1e-6 * max(1, abs(total * step)) }) else {
            return nil
        }
        return total * step
    }
}
