/// The functions this module knows; nothing else is ever passed to the calculator.
enum Function: String, CaseIterable, Sendable {
    case sin, cos, tan, cot, sec, csc
    case arcsin, arccos, arctan
    case sinh, cosh, tanh, arsinh, arcosh, artanh
    case ln
    case log10
    /// Logarithm of the first argument to the base of the second.
    case log
    case sqrt, cbrt
    /// Real root: radicand, index.
    case root
    case abs, sgn, floor, ceil, round
    case gcd, lcm, mod, max, min, binomial, permutations
    /// Term, index, first, last.
    case sum, product
    /// Only in results: special functions that have no elementary form.
    case erf, erfi, sinIntegral, cosIntegral, expIntegral, logIntegral, lambertw, gamma

    /// How many arguments it takes.
    var arity: ClosedRange<Int> {
        switch self {
        case .log, .root, .mod, .binomial, .permutations: 2...2
        case .gcd, .lcm, .max, .min: 2...16
        case .sum, .product: 4...4
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .arsinh, .arcosh,
            .artanh, .ln, .log10, .sqrt, .cbrt, .abs, .sgn, .floor, .ceil, .round, .erf, .erfi, .sinIntegral,
            .cosIntegral, .expIntegral, .logIntegral, .gamma:
            1...1
        case .lambertw: 1...2
        }
    }

    /// True for those whose second argument is an index that only lives inside.
    var bindsVariable: Bool { self == .sum || self == .product }

    /// The calculator's name.
    var calculatorName: String {
        switch self {
        case .permutations: "perm"
        case .sinIntegral: "Si"
        case .cosIntegral: "Ci"
        case .expIntegral: "Ei"
        case .logIntegral: "li"
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .arsinh, .arcosh,
            .artanh, .ln, .log10, .log, .sqrt, .cbrt, .root, .abs, .sgn, .floor, .ceil, .round, .gcd, .lcm, .mod, .max,
            .min, .binomial, .sum, .product, .erf, .erfi, .lambertw, .gamma:
            rawValue
        }
    }

    /// The inverse that `f^-1` means, for functions that have one by that notation.
    var inverse: Function? {
        switch self {
        case .sin: .arcsin
        case .cos: .arccos
        case .tan: .arctan
        case .sinh: .arsinh
        case .cosh: .arcosh
        case .tanh: .artanh
        case .cot, .sec, .csc, .arcsin, .arccos, .arctan, .arsinh, .arcosh, .artanh, .ln, .log10, .log, .sqrt, .cbrt,
            .root, .abs, .sgn, .floor, .ceil, .round, .gcd, .lcm, .mod, .max, .min, .binomial, .permutations, .sum,
            .product, .erf, .erfi, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral, .lambertw, .gamma:
            nil
        }
    }

    /// Names that students type, in lower case, in addition to the raw names.
    private static let aliases: [String: Function] = [
        "asin": .arcsin, "acos": .arccos, "atan": .arctan, "asinh": .arsinh, "acosh": .arcosh, "atanh": .artanh,
        "arcsinh": .arsinh, "arccosh": .arcosh, "arctanh": .artanh, "tg": .tan, "ctg": .cot, "cosec": .csc,
        "arctg": .arctan, "log": .log10, "lg": .log10, "sign": .sgn, "signum": .sgn, "ceiling": .ceil,
        "gcf": .gcd, "hcf": .gcd, "modulo": .mod, "ncr": .binomial, "choose": .binomial, "comb": .binomial,
        "npr": .permutations, "perm": .permutations, "prod": .product,
    ]
    private static let typed: [String: Function] = {
        var names = aliases
        for function in allCases where function.isTypeable && function != .log { names[function.rawValue] = function }
        return names
    }()
    private static let calculated = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.calculatorName, $0) }
    )

    private var isTypeable: Bool {
        switch self {
        case .erf, .erfi, .sinIntegral, .cosIntegral, .expIntegral, .logIntegral, .lambertw, .gamma: false
        case .sin, .cos, .tan, .cot, .sec, .csc, .arcsin, .arccos, .arctan, .sinh, .cosh, .tanh, .arsinh, .arcosh,
            .artanh, .ln, .log10, .log, .sqrt, .cbrt, .root, .abs, .sgn, .floor, .ceil, .round, .gcd, .lcm, .mod, .max,
            .min, .binomial, .permutations, .sum, .product:
            true
        }
    }

    /// The function a student means; `log` is the decimal logarithm.
    static func typed(_ word: String) -> Function? { typed[word.lowercased()] }

    /// The function of this name in the calculator's results.
    static func calculated(_ name: String) -> Function? { calculated[name] }

    /// Names that may be glued to their argument, as in `sinx`; longest first.
    static let gluable = [
        "arcsin", "arccos", "arctan", "asin", "acos", "atan", "sqrt", "sin", "cos", "tan", "log", "ln",
    ]
}
