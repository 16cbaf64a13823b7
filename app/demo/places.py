"""Where customers of the demo shop live, and what people and companies are called there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A country: its currency, its sales region, and the names in it. ``latin`` names can stand in an address."""

    country: str
    currency: str
    area: str
    prefix: str
    cities: tuple[tuple[str, str | None], ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    firms: tuple[str, ...]
    endings: tuple[str, ...]
    latin: bool = True
    family_first: bool = False


def _cities(text: str) -> tuple[tuple[str, str | None], ...]:
    pairs = (entry.strip().partition("/") for entry in text.split(","))
    return tuple((city, region or None) for city, _, region in pairs)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(","))


_GERMAN = _words(
    "Anna Ben Clara David Emma Felix Greta Hannes Ida Jonas Jürgen Karl Lena Lukas Mia Noah Käthe Paul Sophie Tim "
    "Björn Ülkü Zoë Renée Marie-Luise"
)
_GERMAN_FAMILY = _words(
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf "
    "Schröder Neumann Schwarz Zimmermann Krüger Größe Weiß Özdemir Çelik von·der·Heide"
)

PLACES: dict[str, Place] = {
    place.country: place
    for place in (
        Place(
            "DE",
            "EUR",
            "North",
            "+49",
            _cities(
                "Berlin/Berlin, Hamburg/Hamburg, München/Bayern, Köln/Nordrhein-Westfalen, Görlitz/Sachsen, Bremen"
            ),
            _GERMAN,
            tuple(name.replace("·", " ") for name in _GERMAN_FAMILY),
            _listed(
                "Nordlicht, Blumen Weber, Café Sonne, Fahrradwerk, Grüne Küche, Schreinerei Groß, Elbe Handel, Tüftler"
            ),
            _listed("GmbH, GmbH, AG, e.K., GmbH & Co. KG, UG (haftungsbeschränkt)"),
        ),
        Place(
            "AT",
            "EUR",
            "North",
            "+43",
            _cities("Wien/Wien, Graz/Steiermark, Linz, Sölden/Tirol"),
            _GERMAN,
            _words("Gruber Huber Bauer Wagner Müller Pichler Steiner Moser Mayer Hofer Höß"),
            _listed("Donau Kontor, Alpenglück, Marillenhof, Zuckerbäckerei Höß"),
            _listed("GmbH, OG, KG"),
        ),
        Place(
            "FR",
            "EUR",
            "South",
            "+33",
            _cities("Paris/Île-de-France, Lyon, Marseille/Provence, Saint-Étienne, Orléans"),
            _words("Amélie Benoît Chloé Étienne François Hélène Inès Jérôme Léa Loïc Noémie Océane Théo Zoé Jean-Luc"),
            _listed("Martin, Bernard, Dubois, Lefèvre, Moreau, Château, de La Tour, OBrien, Garçon, Nuñez"),
            _listed("Maison Lumière, Boulangerie d'Or, Atelier Forêt, Les Frères Lefèvre, L'Œuf"),
            _listed("SARL, SA, SAS, & Fils"),
        ),
        Place(
            "ES",
            "EUR",
            "South",
            "+34",
            _cities("Madrid/Madrid, Barcelona/Catalunya, Málaga/Andalucía, A Coruña, Cádiz"),
            _words("Alejandro Begoña Íñigo José Lucía María Martín Nuria Óscar Sofía Ángel Chloe"),
            _listed("García, Fernández, Muñoz, López, Martínez, Núñez, Peña, Ibáñez, García López"),
            _listed("El Niño, Café Sol, Sueños, Muebles Peña, La Española"),
            _listed("S.L., S.A., e Hijos"),
        ),
        Place(
            "IT",
            "EUR",
            "South",
            "+39",
            _cities("Milano/Lombardia, Roma/Lazio, Torino, Forlì"),
            _words("Alessandra Bruno Chiara Dario Elena Fabio Giulia Luca Marco Nicolò"),
            _words("Rossi Russo Ferrari Esposito Bianchi D'Angelo De·Luca Lo·Presti Cantù"),
            _listed("Caffè Milano, Gelateria Più, Officina Blu, Libreria Città"),
            _listed("S.r.l., S.p.A., & Figli"),
        ),
        Place(
            "PL",
            "EUR",
            "North",
            "+48",
            _cities("Warszawa, Kraków, Łódź, Gdańsk"),
            _words("Agnieszka Łukasz Małgorzata Paweł Stanisław Zofia Żaneta Grzegorz"),
            _words("Nowak Kowalski Wiśniewski Wójcik Zieliński Szymański Łąk"),
            _listed("Żubr, Złoty Młyn, Świat Książki"),
            _listed("sp. z o.o., S.A."),
        ),
        Place(
            "US",
            "USD",
            "Americas",
            "+1",
            _cities("New York/NY, San José/CA, Austin/TX, Portland/OR, Chicago/IL"),
            _words("Ava Ethan Grace Henry Isabella Jack Liam Mason Olivia William D'Andre Mary-Jane"),
            _words("Smith Johnson Brown Davis Miller O'Neill MacDonald McCoy Nguyen Hernández Lee van·Dyke"),
            _listed("Acme, Blue Ridge, Cedar & Sons, 100% Natural, snake_case Labs, Big \\ Small, Main Street Books"),
            _listed("Inc., LLC, Corp., Ltd., Partners"),
        ),
        Place(
            "JP",
            "JPY",
            "Asia",
            "+81",
            _cities("東京, 大阪, 京都/近畿, 札幌/北海道"),
            _words("翔太 陽菜 健一 美咲 さくら 大輔 結衣 蓮"),
            _words("佐藤 鈴木 高橋 田中 渡辺 伊藤 山本 林"),
            _listed("桜屋, 富士商事, カフェ・ド・京都, 東京ガジェット"),
            _listed("株式会社, 有限会社"),
            latin=False,
            family_first=True,
        ),
        Place(
            "CN",
            "EUR",
            "Asia",
            "+86",
            _cities("上海, 北京, 深圳/广东, 成都/四川"),
            _words("伟 芳 娜 秀英 敏 静 小明 丽 强 磊 晓东 𠮷"),
            _words("王 李 张 刘 陈 杨 赵 黄 周 吴 欧阳"),
            _listed("深圳市创新科技, 上海绿叶贸易, 北京书香文化, 成都麻辣食品"),
            _listed("有限公司, 股份有限公司, 集团"),
            latin=False,
            family_first=True,
        ),
        Place(
            "KW",
            "KWD",
            "Middle East",
            "+965",
            _cities("الكويت, حولي, السالمية/حولي"),
            _words("محمد أحمد فاطمة عائشة يوسف نورة عبد·الله مريم"),
            _words("العلي الصباح المطيري الرشيد العنزي بن·سالم"),
            _listed("شركة الخليج للتجارة, مقهى النخيل, مكتبة المعرفة"),
            _listed("ذ.م.م, القابضة, وأولاده"),
            latin=False,
        ),
        Place(
            "SA",
            "USD",
            "Middle East",
            "+966",
            _cities("الرياض, جدة"),
            _words("خالد سارة عمر ليلى إبراهيم هدى"),
            _words("القحطاني الغامدي الحربي الدوسري"),
            _listed("مؤسسة الرياض, دار الزهور"),
            _listed("المحدودة, للتجارة"),
            latin=False,
        ),
    )
}
"""The countries by their ISO code."""

AREAS = ("North", "South", "Americas", "Asia", "Middle East")
"""The sales regions, each with its own sellers."""

WEIGHTS = {"DE": 38, "FR": 12, "ES": 9, "IT": 8, "AT": 7, "PL": 4, "US": 12, "JP": 3, "CN": 4, "KW": 2, "SA": 1}
"""How many of a hundred customers live in each country."""
