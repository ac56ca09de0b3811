/// A unit of measure from the closed list below.
struct Unit: Hashable, Sendable {
    /// The calculator's own abbreviation, ASCII only.
    let symbol: String
    let dimension: Dimension

    enum Dimension: Sendable {
        case length, mass, time, temperature, volume, area, speed, force, energy, power, pressure, electric, data
        case angle, frequency, substance
    }

    var isTemperature: Bool { dimension == .temperature }
    var isScaleWithOffset: Bool { symbol == "oC" || symbol == "oF" }

    /// How the symbol is typeset in upright letters.
    var typeset: String {
        switch symbol {
        case "oC": "^\\circ\\mathrm{C}"
        case "oF": "^\\circ\\mathrm{F}"
        case "um": "\\mathrm{\\mu m}"
        case "ohm": "\\Omega"
        default: "\\mathrm{\(symbol)}"
        }
    }

    /// Symbol, dimension, other names; symbols are matched with their case, names in lower case.
    private static let list: [(String, Dimension, [String])] = [
        ("m", .length, ["meter", "metre", "meters", "metres"]),
        ("km", .length, ["kilometer", "kilometre", "kilometers", "kilometres", "kms"]),
        ("cm", .length, ["centimeter", "centimetre", "centimeters", "centimetres"]),
        ("dm", .length, ["decimeter", "decimetre", "decimeters", "decimetres"]),
        ("mm", .length, ["millimeter", "millimetre", "millimeters", "millimetres"]),
        ("um", .length, ["micrometer", "micrometre", "micrometers", "micrometres", "micron", "microns"]),
        ("nm", .length, ["nanometer", "nanometre", "nanometers", "nanometres"]),
        ("mi", .length, ["mile", "miles"]), ("yd", .length, ["yard", "yards"]),
        ("ft", .length, ["foot", "feet"]), ("in", .length, ["inch", "inches"]),
        ("kg", .mass, ["kilogram", "kilograms", "kilo", "kilos", "kgs"]), ("g", .mass, ["gram", "grams"]),
        ("mg", .mass, ["milligram", "milligrams"]), ("tonne", .mass, ["tonnes", "ton_metric"]),
        ("lb", .mass, ["pound", "pounds", "lbs"]), ("oz", .mass, ["ounce", "ounces"]),
        ("s", .time, ["second", "seconds", "sec", "secs"]), ("ms", .time, ["millisecond", "milliseconds"]),
        ("min", .time, ["minute", "minutes", "mins"]), ("h", .time, ["hour", "hours", "hr", "hrs"]),
        ("day", .time, ["days"]), ("week", .time, ["weeks"]), ("year", .time, ["years"]),
        ("K", .temperature, ["kelvin", "kelvins"]), ("oC", .temperature, ["celsius", "centigrade", "degc"]),
        ("oF", .temperature, ["fahrenheit", "degf"]),
        ("L", .volume, ["l", "liter", "litre", "liters", "litres"]),
        ("mL", .volume, ["ml", "milliliter", "millilitre", "milliliters", "millilitres"]),
        ("cL", .volume, ["cl", "centiliter", "centilitre"]), ("dL", .volume, ["dl", "deciliter", "decilitre"]),
        ("gal", .volume, ["gallon", "gallons"]), ("ha", .area, ["hectare", "hectares"]),
        ("acre", .area, ["acres"]), ("mph", .speed, []), ("knot", .speed, ["knots"]),
        ("N", .force, ["newton", "newtons"]), ("kN", .force, ["kilonewton", "kilonewtons"]),
        ("J", .energy, ["joule", "joules"]), ("kJ", .energy, ["kilojoule", "kilojoules"]),
        ("cal", .energy, ["calorie", "calories"]), ("kcal", .energy, ["kilocalorie", "kilocalories"]),
        ("Wh", .energy, []), ("kWh", .energy, []), ("eV", .energy, ["electronvolt", "electronvolts"]),
        ("W", .power, ["watt", "watts"]), ("kW", .power, ["kilowatt", "kilowatts"]),
        ("MW", .power, ["megawatt", "megawatts"]), ("hp", .power, ["horsepower"]),
        ("Pa", .pressure, ["pascal", "pascals"]), ("kPa", .pressure, ["kilopascal", "kilopascals"]),
        ("bar", .pressure, ["bars"]), ("atm", .pressure, ["atmosphere", "atmospheres"]), ("psi", .pressure, []),
        ("V", .electric, ["volt", "volts"]), ("A", .electric, ["ampere", "amperes", "amp", "amps"]),
        ("ohm", .electric, ["ohms"]), ("Hz", .frequency, ["hertz"]), ("kHz", .frequency, ["kilohertz"]),
        ("bit", .data, ["bits"]), ("byte", .data, ["bytes"]), ("kB", .data, ["kilobyte", "kilobytes"]),
        ("MB", .data, ["megabyte", "megabytes"]), ("GB", .data, ["gigabyte", "gigabytes"]),
        ("TB", .data, ["terabyte", "terabytes"]), ("deg", .angle, ["degree", "degrees"]),
        ("rad", .angle, ["radian", "radians"]), ("mol", .substance, ["mole", "moles"]),
    ]

    private static let bySymbol = Dictionary(
        uniqueKeysWithValues: list.map { ($0.0, Unit(symbol: $0.0, dimension: $0.1)) }
    )
    private static let byName = Dictionary(
        uniqueKeysWithValues: list.flatMap { entry in
            entry.2.map { ($0, Unit(symbol: entry.0, dimension: entry.1)) }
        }
    )

    /// The unit a student means; a lone `C` or `F` is a temperature.
    static func typed(_ word: String) -> Unit? {
        if word == "C" || word == "F" { return bySymbol["o" + word] }
        return bySymbol[word] ?? byName[word.lowercased()]
            ?? (word.count > 1 ? bySymbol[word.lowercased()] : nil)
    }

    /// The unit of this abbreviation in the calculator's results.
    static func calculated(_ symbol: String) -> Unit? {
        switch symbol {
        case "d": bySymbol["day"]
        case "B": bySymbol["byte"]
        default: bySymbol[symbol]
        }
    }

    /// Words of two letters or more that make a text one about units.
    static func isTelling(_ word: String) -> Bool {
        word.count > 1 && word.lowercased() != "in" && word.lowercased() != "min" && typed(word) != nil
    }
}
