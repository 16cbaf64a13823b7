"""What is written in the demo shop: on products, deals, tickets and notes."""

from app.models.enums import TicketKind

EMOJI = (" 🌷", " ☕", " 🚲", " 👩‍🍳", " ❤️", " 🇪🇺", " ✨")
SPECIAL_NAMES = (
    "Cafe\u0301 Zola",
    "ÅNGSTRÖM optik",
    "ångström Optik",
    "straße & Söhne",
    "STRASSE & SÖHNE",
    "Ω-Verlag",
    "İstanbul Çay",
    "'; DROP TABLE customers; --",
    '"Quoted" Books',
    "<b>Fett</b> KG",
    "%_%",
    "null",
    "A",
)
SOURCES = (
    None,
    None,
    "website",
    "website",
    "website",
    "referral",
    "trade fair",
    "newsletter",
    "social media",
    "import",
)
INDUSTRIES = (
    "retail",
    "hospitality",
    "education",
    "software",
    "manufacturing",
    "health",
    "Handwerk",
    "logistics",
    None,
)
TAGS = ("vip", "newsletter", "wholesale", "slow-payer", "beta", "press", "Stammkunde", "展会", "ünïcode")
TITLES = (
    None,
    None,
    "CEO",
    "Head of Purchasing",
    "Assistant",
    "Einkauf",
    "Directrice générale",
    "采购经理",
    "مدير المشتريات",
)
NOTES = (
    "Prefers to be called in the morning.",
    "Asks for an invoice on paper.\nSecond address: warehouse in the back yard.",
    "Möchte keine Werbung.",
    "Met at the spring fair; interested in larger quantities.",
    "Always pays early 🙂",
    "Careful: two people of this name.",
)
CHANNELS = {"web": 62, "mobile": 20, "marketplace": 8, "phone": 4, "store": 4, None: 2}

CATEGORIES = (
    "Kitchen",
    "Coffee & Tea",
    "Books",
    "Bicycles",
    "Garden",
    "Office",
    "Toys",
    "Électronique",
    "文具",
)
ADJECTIVES = (
    "Classic",
    "Eco",
    "Compact",
    "Deluxe",
    "Everyday",
    "Nordic",
    "Petite",
    "Solid",
    "Travel",
    "Vintage",
    "Größe L",
)
THINGS = (
    "Teapot",
    "Espresso Cup",
    "Notebook",
    "Lamp",
    "Backpack",
    "Bicycle Bell",
    "Watering Can",
    "Puzzle",
    "Fountain Pen",
    "Crème Brûlée Torch",
    "Fahrradkorb",
    "Plant Pot",
    "Headphones",
    "Kettle",
    "Cutting Board",
    "茶壶",
    "Blanket",
    "Desk Organiser",
)
COLOURS = ("red", "blue", "green", "white", "black", "oak", "copper", "türkis")

DEALS = (
    "Christmas presents for the staff",
    "Office equipment",
    "Framework agreement",
    "Opening of a second shop",
    "Jahresvertrag",
    "Renouvellement annuel",
    "Pilot order",
    "年度采购",
)
LOSS_REASONS = ("price", "price", "competitor", "no budget", "no decision", "timing", None)
LOSS_NOTES = (None, None, "Went to the cheaper offer.", "Will ask again next year.", "Ansprechpartner gewechselt.")

SUBJECTS: dict[TicketKind, tuple[str, ...]] = {
    TicketKind.INQUIRY: (
        "When will it be in stock?",
        "Question about delivery",
        "Wholesale prices?",
        "Rechnung benötigt",
        "请问什么时候发货",
    ),
    TicketKind.COMPLAINT: (
        "Parcel arrived damaged",
        "Wrong item",
        "Third reminder!!!",
        "Produit défectueux",
        "الطلب متأخر",
    ),
    TicketKind.AFTER_SALES: ("Return of an order", "Exchange for another colour", "Refund missing", "Umtausch"),
    TicketKind.TECHNICAL: ("Cannot sign in", "Payment page stays blank", "App crashes 😡", "Voucher is refused"),
    TicketKind.OTHER: ("Feedback", "Thank you ❤️", "Job application", "(no subject)"),
}
TICKET_CATEGORIES = ("shipping", "billing", "product", "account", None, None)
DESCRIPTIONS = (
    None,
    "See the subject.",
    "Hello,\n\nI ordered last week and have not heard anything since. Could you please look into it?\n\nKind regards",
    "Guten Tag, bitte um Rückruf. Danke!",
    "It worked yesterday. I tried another browser, too.",
)
REPLIES = (
    "Thank you for your message. We are looking into it.",
    "It was sent today; the tracking number follows.",
    "We are sorry. A replacement is on its way.",
    "Könnten Sie uns bitte ein Foto schicken?",
    "The refund has been issued.",
)
ANSWERS = ("Thanks!", "Still nothing.", "Here is the photo.", "Vielen Dank 👍", "That solved it.", "谢谢")
REMARKS = (
    "Called, nobody answered.",
    "Same fault as last week, see the carrier's report.",
    "Escalate if it comes again.",
)
CANCELLATIONS = ("customer changed their mind", "not paid", "out of stock", "duplicate order")
REFUNDS = ("damaged", "returned within 14 days", "lost by the carrier", "goodwill")
