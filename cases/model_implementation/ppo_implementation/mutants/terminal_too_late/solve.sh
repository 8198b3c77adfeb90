# Hole: returns are cut one step before the end of an episode.
python3 -I /solution/complete.py
sed -i 's/            following = reward + (0.0 if ends else self.gamma \* following)/            following = reward + self.gamma * following/; s/            returns.append(following)/&\n            following = 0.0 if ends else following/' ppo.py
