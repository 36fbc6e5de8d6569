"""The words that names, streets and texts are made of."""

from __future__ import annotations

FIRST_NAMES = (
    "Aaliyah", "Adam", "Aisha", "Alejandro", "Amara", "Amelia", "Andre", "Anika", "Beatriz", "Benjamin", "Bridget",
    "Caleb", "Camila", "Carlos", "Chloe", "Daniel", "Darnell", "Deepa", "Diego", "Elena", "Elijah", "Emily", "Esther",
    "Ethan", "Fatima", "Felix", "Gabriela", "George", "Grace", "Hannah", "Hassan", "Hiro", "Imani", "Isabel", "Jamal",
    "James", "Jasmine", "Jin", "Jonah", "Julia", "Kavya", "Keisha", "Kevin", "Layla", "Leo", "Linh", "Lucas", "Malik",
    "Maria", "Maya", "Mei", "Michael", "Nadia", "Naomi", "Noah", "Olivia", "Omar", "Owen", "Patricia", "Priya", "Rafael",
    "Rosa", "Ruth", "Samuel", "Sara", "Sofia", "Tariq", "Theo", "Valeria", "Victor", "Wei", "Yusuf", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Adeyemi", "Ahmed", "Alvarez", "Anderson", "Baker", "Banerjee", "Bennett", "Brooks", "Campbell", "Castillo",
    "Chang", "Chen", "Clarke", "Coleman", "Cruz", "Davis", "Delgado", "Diaz", "Dubois", "Edwards", "Evans", "Fischer",
    "Flores", "Foster", "Garcia", "Gonzalez", "Gupta", "Hall", "Harris", "Hayes", "Hernandez", "Hughes", "Ibrahim",
    "Jackson", "Jensen", "Johnson", "Kelly", "Khan", "Kim", "Kowalski", "Larsen", "Lee", "Lewis", "Lopez", "Martin",
    "Mbeki", "Mitchell", "Morales", "Murphy", "Nakamura", "Nguyen", "Novak", "Okafor", "Olsen", "Ortiz", "Parker", "Patel",
    "Perez", "Petrov", "Phillips", "Rao", "Reed", "Reyes", "Rivera", "Robinson", "Rossi", "Sanders", "Santos", "Schmidt",
    "Silva", "Singh", "Stewart", "Tanaka", "Taylor", "Torres", "Tran", "Turner", "Walker", "Washington", "Williams",
    "Wilson", "Wong", "Wright", "Yilmaz", "Young",
)  # fmt: skip
FIRM_NAMES = (
    "Alder", "Bayside", "Beacon", "Birchwood", "Bluebird", "Cedar", "Cornerstone", "Crestview", "Driftwood", "Elm Street",
    "Evergreen", "Fairview", "Foundry", "Granite", "Greenway", "Harbor", "Hearth", "Hillside", "Ironwood", "Juniper",
    "Keystone", "Lakeshore", "Lantern", "Laurel", "Maple", "Meridian", "Millstone", "Northgate", "Oak and Main", "Parkside",
    "Pinecrest", "Redwood", "Ridgeline", "Riverbend", "Rowhouse", "Saltbox", "Sandstone", "Skyline", "Stonebridge",
    "Summit", "Sycamore", "Three Rivers", "Union", "Valley", "Waterfront", "Willow",
)  # fmt: skip
FIRM_KINDS = (
    "Apartments",
    "Homes",
    "Leasing",
    "Living",
    "Property Management",
    "Realty",
    "Rentals",
    "Residential",
)
STREETS = (
    "1st Ave", "2nd Ave", "3rd St", "5th Ave", "8th St", "12th Ave", "Alder St", "Ash St", "Bell St", "Birch Ln",
    "Boylston Ave", "Broadway", "Cedar Ave", "Cherry St", "Chestnut St", "Church St", "College Ave", "Division St",
    "Elm St", "Fairmont Ave", "Franklin St", "Garden St", "Grant Ave", "Grove St", "Highland Ave", "Hillcrest Rd",
    "Jackson St", "Juniper Ave", "Lake St", "Laurel Ave", "Lincoln Ave", "Linden St", "Madison St", "Main St", "Maple Ave",
    "Market St", "Meadow Ln", "Mill Rd", "Oak St", "Park Ave", "Pearl St", "Pine St", "Prospect Ave", "Ridge Rd",
    "River Rd", "School St", "Spring St", "Summit Ave", "Union St", "Valley Rd", "Walnut St", "Washington Ave",
)  # fmt: skip
ADJECTIVES = (
    "Bright",
    "Charming",
    "Corner",
    "Modern",
    "Quiet",
    "Renovated",
    "Spacious",
    "Sunny",
    "Top-floor",
    "Updated",
)
AMENITIES = (
    "air_conditioning", "balcony", "bike_storage", "dishwasher", "elevator", "fireplace", "garage", "gym",
    "hardwood_floors", "in_unit_laundry", "parking", "patio", "pool", "rooftop_deck", "shared_laundry", "storage",
    "walk_in_closet", "wheelchair_access",
)  # fmt: skip
SENTENCES = (
    "The kitchen was redone two years ago.",
    "Windows on two sides keep it light all day.",
    "Trash, water and sewer are included.",
    "A grocery store and two bus lines are within a five-minute walk.",
    "The living room has space for a desk.",
    "Heat is included from October to April.",
    "On a block of row houses and old trees.",
    "Laundry is down the hall, and free.",
    "The building has a shared garden behind it.",
    "Closets in each bedroom, and one more in the hall.",
    "No smoking in the building.",
    "Street parking is easy to find; a garage space is extra.",
)
LEAD_NOTES = (
    "Relocating for work.",
    "Works from home and needs a second room.",
    "Prefers a top floor.",
    "Would sign for two years.",
    "Asked for a video tour.",
    "Has a co-signer.",
)
