"""The dashboard: pages made here, for whoever is signed in. They work without scripts, which only renew and draw."""
