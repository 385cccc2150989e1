"""Companies of the sentiment builder, by sector, with what they sell.

Every company is made up. A sector's first name tuple serves training rows, its second the test rows,
so that no company stands on both sides.
"""

from typing import NamedTuple


class Sector(NamedTuple):
    """One line of business.

    Args:
        noun: what a company of it is called, without an article.
        products: what it sells, each a plural or a mass noun.
        unit: a part of such a company, without an article.
        site: where it works, without an article.
        train: company names for training rows.
        test: company names for test rows.
        goods: whether it makes things that are delivered.
    """

    noun: str
    products: tuple[str, ...]
    unit: str
    site: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    goods: bool = True


SECTORS: tuple[Sector, ...] = (
    Sector(
        "paper maker",
        ("magazine paper", "label paper", "fine paper", "sack paper"),
        "paper division",
        "paper mill",
        ("Norvalta Oyj", "Kymenhaara", "Sulkapaperi", "Brenholm AB", "Palvio"),
        ("Arkkila Papers", "Ostmark Papier"),
    ),
    Sector(
        "packaging company",
        ("corrugated boxes", "fibre packaging", "plastic cups", "food containers"),
        "packaging business",
        "plant",
        ("Kotelia", "Pakvera Oyj", "Lindbox Group", "Foldena"),
        ("Rasiatek", "Cartonis"),
    ),
    Sector(
        "engineering group",
        ("pumps and valves", "drilling rigs", "grinding mills", "process equipment"),
        "services segment",
        "factory",
        ("Vaskela", "Metarion Corporation", "Halvorsen Industrier", "Terasmaa", "Rautavirta Oyj"),
        ("Konepaja Vuori", "Ferrodyn"),
    ),
    Sector(
        "crane manufacturer",
        ("port cranes", "hoists", "container lift trucks", "hoisting systems"),
        "lifting unit",
        "assembly plant",
        ("Nosturila", "Cranholm", "Liftera Oyj", "Kraanex"),
        ("Hebetech", "Nostevo"),
    ),
    Sector(
        "elevator maker",
        ("escalators", "elevators for high-rise buildings", "automatic doors"),
        "maintenance business",
        "factory",
        ("Nousula", "Hissitek Oyj", "Elevara", "Vertikon"),
        ("Pystylinja", "Uplift Nord"),
    ),
    Sector(
        "telecoms operator",
        ("broadband subscriptions", "mobile subscriptions", "cable TV services", "fixed lines"),
        "consumer business",
        "network centre",
        ("Telvanor", "Sonetra", "Linjapuhe Oyj", "Baltivox", "Netvaara"),
        ("Puhelio", "Ringvia Telecom"),
        goods=False,
    ),
    Sector(
        "handset maker",
        ("smartphones", "mobile handsets", "headsets", "phones for emerging markets"),
        "devices unit",
        "handset plant",
        ("Nordivox", "Solvia Mobile", "Kaiku Devices", "Mobilex Corp"),
        ("Aanitek", "Cellion"),
    ),
    Sector(
        "IT services company",
        ("data centre services", "payroll systems", "electronic invoicing services", "integration projects"),
        "public sector unit",
        "office",
        ("Tietolinna", "Datavirta Oyj", "Enovara Nordic", "Kodera", "Infosund"),
        ("Bittila", "Systemera"),
        goods=False,
    ),
    Sector(
        "software house",
        ("security software", "mobile applications", "banking software", "design software"),
        "licence business",
        "development centre",
        ("Softamo", "Koodari Group", "Teklanor", "Basewell", "Virtuona Plc"),
        ("Algorin", "Ohjelma Oyj"),
        goods=False,
    ),
    Sector(
        "retailer",
        ("groceries", "home electronics", "interior decoration goods", "sporting goods"),
        "department store chain",
        "store",
        ("Kauppala", "Stormark", "Torikeskus Oyj", "Hemlund", "Vareta"),
        ("Ostomaa", "Butikia"),
        goods=False,
    ),
    Sector(
        "food company",
        ("ready meals", "meat products", "bakery products", "dairy products", "margarine"),
        "meat business",
        "slaughterhouse",
        ("Leipuri Group", "Maatuote Oyj", "Hovimaa Foods", "Skagen Foods", "Ruokala"),
        ("Eineskontti", "Gaardmad"),
    ),
    Sector(
        "brewery",
        ("beer", "soft drinks", "cider", "mineral water"),
        "beverages division",
        "brewery",
        ("Olutpanimo Karhi", "Humala Brewing", "Saarlen", "Baltbrew"),
        ("Ohrasto", "Malmbryg"),
    ),
    Sector(
        "construction company",
        ("residential units", "office premises", "road works", "logistics properties"),
        "housing unit",
        "construction site",
        ("Rakenor", "Talomestarit Oyj", "Byggvik", "Louhikivi", "Perustus Group"),
        ("Kivijalka", "Hausbau Nord"),
        goods=False,
    ),
    Sector(
        "property investor",
        ("shopping centres", "office space", "retail premises", "rental apartments"),
        "leasing business",
        "shopping centre",
        ("Torivara", "Haaro Kiinteistot", "Tonttula Oyj", "Fastivest"),
        ("Toimitila Group", "Kvartal Estates"),
        goods=False,
    ),
    Sector(
        "bank",
        ("home loans", "savings deposits", "mutual funds", "corporate loans"),
        "retail banking unit",
        "branch",
        ("Alandria Bank", "Saastola Bank", "Nordsund Bank", "Aktivo Pankki", "Kontor Bank Plc"),
        ("Vakuusbank", "Sparlund"),
        goods=False,
    ),
    Sector(
        "insurance group",
        ("motor insurance", "life insurance", "pension policies", "health insurance"),
        "non-life business",
        "claims centre",
        ("Turvana", "Turvasto Insurance", "Trygghem", "Vakuutus Oyj"),
        ("Suojatek", "Varmera Baltic"),
        goods=False,
    ),
    Sector(
        "airline",
        ("long-haul flights", "charter flights", "air cargo", "seats on Asian routes"),
        "cargo unit",
        "hub",
        ("Avianor", "Lentola", "Skyholm", "Baltwings"),
        ("Siipilinja", "Nordjet"),
        goods=False,
    ),
    Sector(
        "shipping company",
        ("ferry crossings", "bulk cargo", "freight services", "cruises"),
        "cargo division",
        "terminal",
        ("Merilinja Oyj", "Vikarship", "Seabalt", "Aallokko Lines"),
        ("Laivora", "Fjordline Cargo"),
        goods=False,
    ),
    Sector(
        "shipyard",
        ("cruise ships", "icebreakers", "ferries", "offshore vessels"),
        "offshore unit",
        "yard",
        ("Telakka Rauhala", "Nordyard", "Varvson", "Venetek Yards"),
        ("Runkotek", "Hulldok"),
    ),
    Sector(
        "steel company",
        ("hot-rolled plates", "stainless steel", "steel tubes", "copper products"),
        "metals division",
        "steelworks",
        ("Levyrauta", "Kuonatek", "Stalvik AB", "Hammaro"),
        ("Terassula", "Plattstahl"),
    ),
    Sector(
        "chemicals company",
        ("water treatment chemicals", "coatings", "pulp chemicals", "adhesives"),
        "coatings segment",
        "production plant",
        ("Kemivaara Oyj", "Pinnoite Group", "Chemolin", "Reagens Nord"),
        ("Maalila", "Polychem Baltic"),
    ),
    Sector(
        "drugmaker",
        ("generic drugs", "cancer treatments", "diagnostic tests", "animal medicines"),
        "diagnostics unit",
        "laboratory",
        ("Salvira Pharma", "Bioteka", "Laakeri Oyj", "Medisund", "Hormosa"),
        ("Rohtomed", "Genorva"),
    ),
    Sector(
        "energy company",
        ("district heating", "wind power", "electricity", "biodiesel", "natural gas"),
        "heat division",
        "power plant",
        ("Voimalinja", "Sahkonen", "Polttola", "Tuulivirta Oyj", "Kraftvik"),
        ("Lampola Energia", "Stromnes"),
    ),
    Sector(
        "mining company",
        ("nickel concentrate", "gold ore", "zinc", "platinum metals"),
        "exploration unit",
        "mine",
        ("Kaivosmaa", "Louhimo Mining", "Gruvberg", "Lapmet Resources"),
        ("Malmila", "Northore"),
    ),
    Sector(
        "media group",
        ("newspapers", "magazines", "online advertising", "educational books"),
        "magazines division",
        "printing house",
        ("Sanalehti", "Lehdet Nord", "Uutisverkko Oyj", "Tidnora", "Kirjapaino Press"),
        ("Lehtikustannus", "Pressen Nord"),
    ),
    Sector(
        "electronics manufacturer",
        ("printed circuit boards", "sensors", "power supplies", "antenna modules"),
        "contract manufacturing unit",
        "factory",
        ("Elkotek", "Piirilevy Oyj", "Sensoria", "Ampera Nordic", "Lataus Nord"),
        ("Virtapiiri", "Elektra Balt"),
    ),
    Sector(
        "sports equipment maker",
        ("fishing lures", "tennis rackets", "winter sports equipment", "dive computers"),
        "outdoor business",
        "distribution centre",
        ("Lumikko Sports", "Siimala", "Karhula Sports", "Latula Gear"),
        ("Hiihtotek", "Fjellsport"),
    ),
    Sector(
        "staffing and consulting firm",
        ("temporary staffing", "engineering consulting", "cleaning services", "security services"),
        "consulting business",
        "service centre",
        ("Suunnola", "Henkilosto Group", "Siivola Services", "Insinova", "Consulta"),
        ("Vuokratyo Oyj", "Bemanna"),
        goods=False,
    ),
    Sector(
        "truck and tyre maker",
        ("winter tyres", "trucks", "bus bodies", "forest machines", "farm tractors"),
        "tyre business",
        "plant",
        ("Rengasmaa", "Kuormala", "Vagnfabriken", "Traktora Oyj"),
        ("Kumitek", "Lastbilar Nord"),
    ),
)

# Invented too, and apart as the companies are.
BROKERS: dict[str, tuple[str, ...]] = {
    "train": (
        "Handelsvik",
        "Fondia Securities",
        "Nordkapp Markets",
        "Elvita Bank",
        "Osakevirta",
        "Kestrel & Lowe",
    ),
    "test": ("Sonne Brokers", "Pankkiliike Ahti"),
}
